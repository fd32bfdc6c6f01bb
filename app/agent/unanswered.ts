// Which tunnels are used and bring nothing back? charon believes what it has installed: when somebody flushes the kernel's states
// or policies, on either end, charon goes on listing them as they were. The sign is a flow that is asked for and whose SA
// receives nothing. Pure; what is done about it is a rekeying of the child, which installs states and policies anew at both ends
// and costs a flow that is well no packet (one that never gets answers looks the same from here).
import type { HostConfig } from '../domain/host-config.ts';
import { networkAddress } from '../domain/ip.ts';
import { endpointKey } from '../guard/rows.ts';
import { childKey, type ChildSa, type Loaded } from '../swanctl/loaded.ts';
import type { Step } from '../swanctl/steps.ts';
import type { DemandMemory } from './demand.ts';

/** An answer may take so long. */
const PATIENCE_MS = 1000;
/** The look that confirms comes so much later at the earliest. */
const CONFIRM_MS = 200;
/** Of a flow that stays without answers: the pause after the first rekeying, twice as long each time. */
const FIRST_PAUSE_MS = 10_000;
const LAST_PAUSE_MS = 3_600_000;

export interface UnansweredInput {
  readonly desired: HostConfig;
  readonly loaded: Loaded;
  /** Of this look. */
  readonly demand: DemandMemory;
  readonly nowMs: number;
  readonly before: UnansweredMemory;
}

/** By childKey. */
export type UnansweredMemory = ReadonlyMap<string, Watched>;

interface Watched {
  readonly uniqueId: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  /**
   * When it was last asked for with all answered, or since when it is without an answer: what comes after it and is never
   * answered is counted from here. Absent while nobody asks.
   */
  readonly sinceMs?: number;
  /** True when `sinceMs` stands for a flow without an answer. */
  readonly isWaiting?: boolean;
  /** Rekeyings since the last answer. */
  readonly tries: number;
  /** Not rekeyed again before. */
  readonly notBeforeMs: number;
}

export interface Unanswered {
  readonly steps: readonly Step[];
  readonly memory: UnansweredMemory;
  /** When to look again; Infinity when no answer is waited for. */
  readonly againMs: number;
}

export function unansweredOf(input: UnansweredInput): Unanswered {
  const used = usedChildren(input);
  const answered = new Set(used.filter(isAnswered).map(({ endpoint }) => endpoint));
  const looks = used.map((child) => watch(child, input, answered));
  const waits = looks.flatMap(({ watched: { sinceMs, isWaiting, notBeforeMs } }) =>
    sinceMs === undefined || isWaiting !== true
      ? []
      : [Math.max(CONFIRM_MS, Math.max(sinceMs + PATIENCE_MS, notBeforeMs) - input.nowMs)],
  );
  return {
    steps: looks.flatMap(({ step }) => step ?? []),
    memory: new Map([...inReplacement(input), ...looks.map(({ key, watched }) => [key, watched] as const)]),
    againMs: Math.min(Infinity, ...waits),
  };
}

interface Look {
  readonly key: string;
  readonly watched: Watched;
  readonly step?: Step;
}

/** `answered`: endpoints of which some SA received something since the last look. */
function watch(child: Used, input: UnansweredInput, answered: ReadonlySet<string>): Look {
  const { key, connection, sa, endpoint } = child;
  const { nowMs } = input;
  const count = { uniqueId: sa.uniqueId, packetsIn: sa.packetsIn, packetsOut: sa.packetsOut };
  const use = useOf(child, input);
  if (isAnswered(child)) {
    const sinceMs = use !== undefined && child.last !== undefined ? { sinceMs: nowMs } : {};
    return { key, watched: { ...count, ...sinceMs, tries: 0, notBeforeMs: 0 } };
  }
  const known = input.before.get(key) ?? UNKNOWN;
  const { tries, notBeforeMs, sinceMs = nowMs } = known;
  if (use === undefined || (use === 'asked for' && answered.has(endpoint)))
    return { key, watched: { ...count, tries, notBeforeMs } };
  if (!isSure(use, known) || nowMs < Math.max(sinceMs + PATIENCE_MS, notBeforeMs))
    return { key, watched: { ...count, sinceMs, isWaiting: true, tries, notBeforeMs } };
  return {
    key,
    watched: { ...count, tries: tries + 1, notBeforeMs: nowMs + pauseMs(tries) },
    step: { kind: 'rekey-child', connection, child: sa.name, uniqueId: sa.uniqueId },
  };
}

/** The guard is read before charon: what it counts as new may be answered already, so that two looks have to say so. */
function isSure(use: 'sending' | 'asked for', { isWaiting }: Pick<Watched, 'isWaiting'>): boolean {
  return use === 'sending' || isWaiting === true;
}

/** Since the last look; any of its clients may be the one that asked. */
function useOf(
  { sa, last, endpoint }: Used,
  { demand, nowMs }: UnansweredInput,
): 'sending' | 'asked for' | undefined {
  if (sa.packetsOut > (last?.packetsOut ?? 0)) return 'sending';
  return demand.endpoints.get(endpoint)?.grewMs === nowMs ? 'asked for' : undefined;
}

const UNKNOWN: Pick<Watched, 'tries' | 'notBeforeMs' | 'sinceMs' | 'isWaiting'> = {
  tries: 0,
  notBeforeMs: 0,
};

function pauseMs(tries: number): number {
  return Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries);
}

interface Used {
  readonly key: string;
  readonly connection: HostConfig['connections'][number]['name'];
  readonly sa: ChildSa;
  readonly endpoint: string;
  /** Of the same SA; absent when it is new, or was not looked at before. */
  readonly last: Watched | undefined;
}

/** Egress children with an SA, unless it is on its way to be replaced. */
function usedChildren({ desired, loaded, before }: UnansweredInput): Used[] {
  const sas = Map.groupBy(
    loaded.ikeSas.flatMap(({ connection, children }) => children.map((sa) => ({ connection, sa }))),
    ({ connection, sa }) => childKey(connection, sa.name),
  );
  return desired.connections.flatMap(({ name: connection, children }) =>
    children.flatMap(({ name, mode, remoteTs: { prefix, protocol, port } }) => {
      const key = childKey(connection, name);
      const sa = together((sas.get(key) ?? []).map((found) => found.sa));
      if (mode !== 'tunnel' || port === undefined || sa === undefined) return [];
      const endpoint = endpointKey({ address: networkAddress(prefix), protocol, port });
      const last = before.get(key);
      return [{ key, connection, sa, endpoint, last: last?.uniqueId === sa.uniqueId ? last : undefined }];
    }),
  );
}

/** What is known of children whose SA is being replaced, for some seconds after a rekeying: pauses and tries go on with the new one. */
function inReplacement({ loaded, before }: UnansweredInput): (readonly [string, Watched])[] {
  const replaced = loaded.ikeSas.flatMap(({ connection, children }) =>
    children.filter(({ state }) => state !== 'INSTALLED').map(({ name }) => childKey(connection, name)),
  );
  return [...new Set(replaced)].flatMap((key) => {
    const known = before.get(key);
    return known === undefined ? [] : [[key, known] as const];
  });
}

/** Two hosts that began at once have two SAs of a child, which stay (testbed: 11): the newest, with the packets of all. */
function together(sas: readonly ChildSa[]): ChildSa | undefined {
  const newest = sas.toSorted((a, b) => b.uniqueId - a.uniqueId)[0];
  if (newest === undefined || sas.some(({ state }) => state !== 'INSTALLED')) return undefined;
  const sum = (count: (sa: ChildSa) => number): number => sas.reduce((total, sa) => total + count(sa), 0);
  return { ...newest, packetsIn: sum((sa) => sa.packetsIn), packetsOut: sum((sa) => sa.packetsOut) };
}

/** An SA that is looked at for the first time is well when it ever received anything. */
function isAnswered({ sa, last }: Used): boolean {
  return sa.packetsIn > (last?.packetsIn ?? 0);
}
