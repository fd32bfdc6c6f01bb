// Which tunnels are asked for and not there? The guard counts packets towards each endpoint; a trap normally does the rest, so
// only two cases are initiated from here: a live flow whose trap is about to be set (its packets would be dropped until the
// SA is up), and a flow that is asked for again after a while in vain (a peer that was late, a cut that healed). Pure.
//
// Looks come in bursts, each event of charon is one, so that what counts is time and never the number of looks. A trap at
// work is left alone meanwhile: initiating beside it would make a second SA.
import type { HostConfig, HostPlan, PlannedChild } from '../domain/host-config.ts';
import { endpointKey } from '../guard/rows.ts';
import { childKey, type Loaded } from '../swanctl/loaded.ts';
import { formatSelector } from '../swanctl/selector-text.ts';
import { installedChildKeys } from '../swanctl/verify.ts';

/** A flow with a packet in this time is live: resolvers and probes ask every few seconds. */
const LIVE_MS = 10_000;
/** So long a trap may take for its SA. */
const PATIENCE_MS = 2000;
/** What was asked for in vain and then not any more for so long is given up. */
const FORGET_MS = 60_000;

export interface DemandInput {
  readonly plan: HostPlan;
  /** The plan with names. */
  readonly desired: HostConfig;
  /** Before anything is applied. */
  readonly loaded: Loaded;
  /** Packets towards each endpoint by endpointKey; absent when they cannot be read. */
  readonly counts: ReadonlyMap<string, number> | undefined;
  readonly nowMs: number;
  readonly before: DemandMemory;
}

/** What is remembered from look to look. */
export interface DemandMemory {
  /** By endpointKey. */
  readonly endpoints: ReadonlyMap<string, Count>;
  /** By childKey: since when it has been asked for in vain. */
  readonly lacking: ReadonlyMap<string, number>;
}

interface Count {
  readonly packets: number;
  /** When a look found more packets than the one before it; absent when none ever did. */
  readonly grewMs?: number;
}

export const NO_DEMAND: DemandMemory = { endpoints: new Map(), lacking: new Map() };

export interface Demand {
  /** childKeys to initiate now. */
  readonly wanted: ReadonlySet<string>;
  readonly memory: DemandMemory;
  /** When patience with a trap ends; Infinity when nothing is waited for. */
  readonly againMs: number;
}

export function demandOf(input: DemandInput): Demand {
  const { counts, before, nowMs } = input;
  const endpoints = counts === undefined ? before.endpoints : counted(counts, before.endpoints, nowMs);
  const asked = askedChildren(input, endpoints);
  const lacking = new Map(
    asked.flatMap(({ key, grewMs, isLive }) => {
      const since = before.lacking.get(key) ?? (grewMs === nowMs || isLive ? nowMs : undefined);
      return since === undefined ? [] : [[key, since] as const];
    }),
  );
  const isOverdue = (key: string): boolean => nowMs - (lacking.get(key) ?? nowMs) >= PATIENCE_MS;
  const wanted = asked.filter(({ key, grewMs, isLive }) => isLive || (grewMs === nowMs && isOverdue(key)));
  return {
    wanted: new Set(counts === undefined ? [] : wanted.map(({ key }) => key)),
    memory: { endpoints, lacking },
    againMs: [...lacking.values()]
      .map((since) => since + PATIENCE_MS - nowMs)
      .reduce((least, ms) => (ms > 0 ? Math.min(least, ms) : least), Infinity),
  };
}

/** A count that is smaller than before began anew: all of it is new. One that is seen first may be of any age: it counts. */
function counted(
  counts: ReadonlyMap<string, number>,
  before: DemandMemory['endpoints'],
  nowMs: number,
): Map<string, Count> {
  return new Map(
    [...counts].map(([key, packets]): [string, Count] => {
      const last = before.get(key);
      const base = last === undefined || packets < last.packets ? 0 : last.packets;
      if (packets > base) return [key, { packets, grewMs: nowMs }];
      return [key, last === undefined ? { packets } : { ...last, packets }];
    }),
  );
}

interface Asked {
  readonly key: string;
  readonly grewMs: number;
  /** Loaded without a trap, and with packets a short while ago. */
  readonly isLive: boolean;
}

/** Egress children that are to have a trap, have no SA, and whose endpoint was asked for within the time of forgetting. */
function askedChildren(input: DemandInput, endpoints: DemandMemory['endpoints']): Asked[] {
  const { loaded, nowMs } = input;
  const recent = new Map(
    [...endpoints].flatMap(([key, { grewMs }]) =>
      grewMs !== undefined && nowMs - grewMs < FORGET_MS ? [[key, grewMs] as const] : [],
    ),
  );
  if (recent.size === 0) return [];
  const installed = installedChildKeys(loaded);
  return egressChildren(input, (child) => recent.has(keyOf(child))).flatMap(({ key, child, isLoaded }) => {
    const grewMs = recent.get(keyOf(child));
    if (grewMs === undefined || installed.has(key)) return [];
    return [{ key, grewMs, isLive: isLoaded && !loaded.traps.has(key) && nowMs - grewMs < LIVE_MS }];
  });
}

function keyOf({ flow }: PlannedChild): string {
  return endpointKey({ ...flow, address: flow.endpoint });
}

/** Every prefix of this host towards an endpoint: which of them asks, the guard does not count. */
function egressChildren(
  { plan, desired, loaded }: DemandInput,
  isMeant: (child: PlannedChild) => boolean,
): { key: string; child: PlannedChild; isLoaded: boolean }[] {
  const named = new Map(desired.connections.map(({ name, children }) => [name, children]));
  return plan.connections.flatMap(({ name: connection, children }) => {
    const names = new Map(
      (named.get(connection) ?? []).map((child) => [selectorsOf(child), child.name] as const),
    );
    return children
      .filter(
        (child) =>
          child.direction === 'egress' &&
          child.mode === 'tunnel' &&
          child.startAction === 'trap' &&
          isMeant(child),
      )
      .flatMap((child) => {
        const name = names.get(selectorsOf(child));
        if (name === undefined) return [];
        const isLoaded = loaded.connections.get(connection)?.children.has(name) === true;
        return [{ key: childKey(connection, name), child, isLoaded }];
      });
  });
}

function selectorsOf({ localTs, remoteTs }: Pick<PlannedChild, 'localTs' | 'remoteTs'>): string {
  return `${formatSelector(localTs)} ${formatSelector(remoteTs)}`;
}
