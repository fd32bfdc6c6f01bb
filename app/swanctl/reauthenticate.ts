// IKE_SAs that hold an old configuration (testbed: 20) and should be authenticated anew: which, and which of them now.
import type { ConnectionName } from '../domain/host-config.ts';
import type { IkeSa } from './loaded.ts';
import { type LoadInput, type LoadPlan } from './load-plan.ts';
import { isOurs } from '../domain/names.ts';
import type { Step } from './steps.ts';

/** charon gives ages in whole seconds of a clock of its own: an age is off by up to one second. */
const CLOCK_ERROR_MS = 1000;

type Old = IkeSa & { readonly connection: ConnectionName };

/**
 * At once those that lack a child which is desired now; of the others one in each pass, so that a change of parameters
 * does not make every host negotiate with every other at the same moment. `asked` are the unique ids for which that was
 * asked a short while ago.
 */
export function reauthentications(input: LoadInput, plan: LoadPlan, asked: ReadonlySet<number>): Step[] {
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
  const next = old.find((sa) => !urgent.includes(sa));
  return [...urgent, ...(next === undefined ? [] : [next])].map(({ connection, uniqueId }) => ({
    kind: 'reauthenticate',
    connection,
    uniqueId,
  }));
}

/** Certainly established before: in doubt no, or the IKE_SA that came out of this would be asked for again. */
function isOlder(sa: IkeSa, loadedAtMs: number | undefined, nowMs: number): boolean {
  if (loadedAtMs === undefined || sa.establishedSeconds === undefined) return false;
  return nowMs - sa.establishedSeconds * 1000 + CLOCK_ERROR_MS < loadedAtMs;
}

/** So young at the load that a later pass could not tell whether it was before: now or never. */
function isYoung(sa: IkeSa): boolean {
  return (sa.establishedSeconds ?? 0) * 1000 <= 2 * CLOCK_ERROR_MS;
}
