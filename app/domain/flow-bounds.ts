// How much can a host and a connection carry? Policy rows ask in order of age; a row that would pass a bound on any host is
// refused as a whole, rather than held without tunnels. Why these bounds: docs/architecture.md.
import type { HostFact, HostName } from './facts.ts';
import { familyOf, type Family } from './ip.ts';
import { formatPort } from './ports.ts';
import type { ResolvedEndpoint } from './world.ts';

/** charon loads 20,000 children in 6 s and 150 MB; beyond 512 KiB a load-conn message closes its socket. */
export const MAX_CHILDREN_PER_HOST = 20_000;
export const MAX_CONNECTION_BYTES = 400_000;
/** What one child takes of a load-conn message, rounded up. */
export const CHILD_BYTES = 220;
const MAX_CHILDREN_PER_CONNECTION = Math.floor(MAX_CONNECTION_BYTES / CHILD_BYTES);

/** What was passed, for the sentence that says so. */
export interface ExceededBound {
  readonly host: HostName;
  /** Only where one connection would grow too large. */
  readonly peer?: HostName;
  readonly children: number;
  readonly limit: number;
}

/** Admits the endpoints of a row and returns undefined, or leaves everything as it was and says which bound is in the way. */
export type Admit = (endpoints: readonly ResolvedEndpoint[]) => ExceededBound | undefined;

/** Numbers of one host and family: its client prefixes, and its distinct endpoint addresses and ports. */
interface Load {
  readonly prefixes: number;
  targets: number;
}

/** Counts flows as plan-host.ts makes them: each prefix of one host towards each endpoint port of another, in both hosts. */
export function flowBounds(hosts: readonly HostFact[]): Admit {
  const families = { 4: loadsOf(hosts, 4), 6: loadsOf(hosts, 6) };
  const known = new Set<string>();
  return (endpoints) => {
    const added = newTargets(endpoints, known).filter(({ host, family }) => families[family].has(host));
    const change = (by: number): void => {
      for (const { host, family } of added) {
        const load = families[family].get(host);
        if (load !== undefined) load.targets += by;
      }
    };
    change(1);
    const exceeded =
      added.length === 0 ? undefined : firstExceeded(families, new Set(added.map(({ host }) => host)));
    if (exceeded !== undefined) change(-1);
    else for (const { key } of added) known.add(key);
    return exceeded;
  };
}

function loadsOf(hosts: readonly HostFact[], family: Family): Map<HostName, Load> {
  return new Map(
    hosts.map(({ name, prefixes }) => [
      name,
      { prefixes: prefixes.filter((prefix) => familyOf(prefix) === family).length, targets: 0 },
    ]),
  );
}

interface Target {
  readonly key: string;
  readonly host: HostName;
  readonly family: Family;
}

/** One for each address and port that no admitted row has asked for: two rows on one endpoint port are one flow. */
function newTargets(endpoints: readonly ResolvedEndpoint[], known: ReadonlySet<string>): Target[] {
  return endpoints.flatMap(({ address, host, ports }) =>
    ports
      .map((port) => ({ key: `${address} ${formatPort(port)}`, host, family: familyOf(address) }))
      .filter(({ key }) => !known.has(key)),
  );
}

type Families = Readonly<Record<Family, ReadonlyMap<HostName, Load>>>;

/** Only connections of hosts that got endpoints can have grown; every host's total can. */
function firstExceeded(families: Families, changed: ReadonlySet<HostName>): ExceededBound | undefined {
  const totals = { 4: totalOf(families[4]), 6: totalOf(families[6]) };
  for (const host of families[4].keys()) {
    const children =
      childrenOf(families[4].get(host), totals[4]) + childrenOf(families[6].get(host), totals[6]);
    if (children > MAX_CHILDREN_PER_HOST) return { host, children, limit: MAX_CHILDREN_PER_HOST };
  }
  return firstLargeConnection(families[4], changed) ?? firstLargeConnection(families[6], changed);
}

function firstLargeConnection(
  loads: ReadonlyMap<HostName, Load>,
  changed: ReadonlySet<HostName>,
): ExceededBound | undefined {
  for (const host of changed)
    for (const [peer, load] of loads) {
      const children = peer === host ? 0 : childrenBetween(loads.get(host), load);
      if (children > MAX_CHILDREN_PER_CONNECTION)
        return { host, peer, children, limit: MAX_CHILDREN_PER_CONNECTION };
    }
  return undefined;
}

function totalOf(loads: ReadonlyMap<HostName, Load>): Load {
  const total = { prefixes: 0, targets: 0 };
  for (const load of loads.values()) {
    total.prefixes += load.prefixes;
    total.targets += load.targets;
  }
  return total;
}

/** Of a host with all others together. */
function childrenOf(own: Load | undefined, total: Load): number {
  if (own === undefined) return 0;
  return childrenBetween(own, {
    prefixes: total.prefixes - own.prefixes,
    targets: total.targets - own.targets,
  });
}

function childrenBetween(a: Load | undefined, b: Load | undefined): number {
  return a === undefined || b === undefined ? 0 : a.prefixes * b.targets + b.prefixes * a.targets;
}
