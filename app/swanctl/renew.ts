// IKE_SAs that hold an old configuration of their connection: which, which of them now, and how to be rid of it.
//
// While one lives, a child added since then is refused when the peer asks for it (TS_UNACCEPTABLE; testbed: 20).
// Reauthenticating from here does not cure that: the end that starts it makes the new IKE_SA out of the old one's
// configuration, proposals included, and only the other end looks its own up anew (strongSwan 5.9.8,
// task_manager_v2.c, trigger_mbb_reauth; measured for either end as first initiator). So here it is ended, and what it
// carried for clients of this host is initiated again at once. What the peer's clients need, the peer's traps ask for.
import type { ConnectionName } from '../domain/host-config.ts';
import { isOurs } from '../domain/names.ts';
import type { IkeSa } from './loaded.ts';
import type { LoadInput, LoadPlan } from './load-plan.ts';
import type { Step } from './steps.ts';

/**
 * So long an old IKE_SA goes on carrying, unless it is in the way of a new child. What made it old (connections unloaded on both
 * hosts, other parameters) has often happened to the peer as well, which may take a look's period and a look to see it; who begins
 * before is refused: 6 s without service (measured), instead of the 0.4 s that a renewal costs when the peer is ready.
 */
const PEER_MS = 15_000;

/** charon gives ages in whole seconds of a clock of its own: an age is off by up to one second. */
const CLOCK_ERROR_MS = 1000;

type Old = IkeSa & { readonly connection: ConnectionName };

/**
 * At once those that lack a child which is desired now; of the others, when the peer has had time, one in each pass, so that a
 * change of parameters does not make every host negotiate with every other at the same moment. Those in `asked` are left alone.
 */
export function renewals(input: LoadInput, plan: LoadPlan, asked: ReadonlySet<number>): Step[] {
  const loadedAt = new Map(
    plan.config.connections.flatMap((connection) =>
      connection.kind === 'peer' && connection.loadedAt !== undefined
        ? [[connection.name as string, Date.parse(connection.loadedAt)] as const]
        : [],
    ),
  );
  const old = input.loaded.ikeSas.filter(
    (sa): sa is Old =>
      isOurs(sa.connection) &&
      sa.state === 'ESTABLISHED' &&
      !asked.has(sa.uniqueId) &&
      (plan.replaced.has(sa.connection) || isOlder(sa, loadedAt.get(sa.connection), Date.parse(input.now))),
  );
  const urgent = old.filter((sa) => plan.growing.has(sa.connection) || isYoung(sa));
  const isPeerReady = ({ connection }: Old): boolean =>
    Date.parse(input.now) - (loadedAt.get(connection) ?? -Infinity) >= PEER_MS;
  const next = old.find((sa) => !urgent.includes(sa) && isPeerReady(sa));
  return [...urgent, ...(next === undefined ? [] : [next])].flatMap((sa) => renew(sa, plan));
}

function renew({ connection: name, uniqueId, children }: Old, { config }: LoadPlan): Step[] {
  const installed = new Set(children.filter(({ state }) => state === 'INSTALLED').map((sa) => sa.name));
  const again = config.connections
    .filter((connection) => connection.name === name)
    .flatMap((connection) => connection.children)
    .filter((child) => child.remoteTs.port !== undefined && installed.has(child.name));
  return [
    { kind: 'terminate-ike', connection: name, uniqueId },
    ...again.map((child): Step => ({ kind: 'initiate', connection: name, child: child.name })),
  ];
}

/** Certainly established before: in doubt no, or the IKE_SA that came out of this would be ended too. */
function isOlder(sa: IkeSa, loadedAtMs: number | undefined, nowMs: number): boolean {
  if (loadedAtMs === undefined || sa.establishedSeconds === undefined) return false;
  return nowMs - sa.establishedSeconds * 1000 + CLOCK_ERROR_MS < loadedAtMs;
}

/** So young at the load that a later pass could not tell whether it was before: now or never. */
function isYoung(sa: IkeSa): boolean {
  return (sa.establishedSeconds ?? 0) * 1000 <= 2 * CLOCK_ERROR_MS;
}
