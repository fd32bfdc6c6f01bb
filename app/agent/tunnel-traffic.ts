// How much has gone through the tunnels of each service? charon counts by CHILD_SA and begins anew with each: here the growth
// between looks is added up, so that the sum never falls when an SA is rekeyed or charon restarts. What an SA carries after the
// last look at it is not counted: a sum is never more than the truth, and less by a few seconds of an SA's last traffic at most.
import { isOurs } from '../domain/names.ts';
import { childKey, type ChildSa, type Loaded } from '../swanctl/loaded.ts';

export interface Traffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
}

/** `namespace/name` by childKey. */
export type ServiceIndex = ReadonlyMap<string, string>;

export interface TunnelTraffic {
  /** `index` is asked for when there is an SA that was not there before. */
  readonly seen: (loaded: Loaded, index: () => ServiceIndex) => void;
  /** Another charon counts from 0, with other ids. */
  readonly restarted: () => void;
  /** Since this agent was started, by service. */
  readonly totals: () => ReadonlyMap<string, Traffic>;
  /** Installed CHILD_SAs by service, as they were seen last; 0 for one that had some. */
  readonly childSas: () => ReadonlyMap<string, number>;
  /** Established IKE_SAs of ours. */
  readonly ikeSas: () => number;
  /** Forgets the sums of all other services that have no SA either. */
  readonly keep: (services: ReadonlySet<string>) => void;
}

/** Of SAs that were there before us and belong to nothing any more. */
export const NO_SERVICE = 'none';

interface Known {
  readonly service: string;
  readonly isInstalled: boolean;
  readonly last: Traffic;
}

const NOTHING: Traffic = { bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 };

export function tunnelTraffic(): TunnelTraffic {
  let known = new Map<number, Known>();
  const totals = new Map<string, Traffic>();
  // What SAs that are met first have carried was counted by an agent before this one.
  let isFirst = true;
  let ikeSas = 0;
  return {
    seen: (loaded, index) => {
      let services: ServiceIndex | undefined;
      const next = new Map<number, Known>();
      const ours = loaded.ikeSas.filter(({ connection }) => isOurs(connection));
      for (const { connection, children } of ours)
        for (const sa of children) {
          const before = known.get(sa.uniqueId);
          if (before === undefined) services ??= index();
          const { service, last } = before ?? {
            service: services?.get(childKey(connection, sa.name)) ?? NO_SERVICE,
            last: isFirst ? sa : NOTHING,
          };
          totals.set(service, sum(totals.get(service) ?? NOTHING, growth(last, sa)));
          next.set(sa.uniqueId, { service, isInstalled: isInstalled(sa), last: countsOf(sa) });
        }
      known = next;
      ikeSas = ours.filter(({ state }) => state === 'ESTABLISHED').length;
      isFirst = false;
    },
    restarted: () => known.clear(),
    totals: () => totals,
    childSas: () => {
      const counts = new Map([...totals.keys()].map((service) => [service, 0]));
      for (const { service, isInstalled: is } of known.values())
        if (is) counts.set(service, (counts.get(service) ?? 0) + 1);
      return counts;
    },
    ikeSas: () => ikeSas,
    keep: (services) => {
      const used = new Set([...known.values()].map(({ service }) => service));
      for (const service of totals.keys())
        if (!services.has(service) && !used.has(service)) totals.delete(service);
      for (const service of services) if (!totals.has(service)) totals.set(service, NOTHING);
    },
  };
}

function countsOf({ bytesIn, bytesOut, packetsIn, packetsOut }: ChildSa): Traffic {
  return { bytesIn, bytesOut, packetsIn, packetsOut };
}

function growth(before: Traffic, now: Traffic): Traffic {
  return combine(before, now, (a, b) => Math.max(0, b - a));
}

function sum(before: Traffic, more: Traffic): Traffic {
  return combine(before, more, (a, b) => a + b);
}

function combine(a: Traffic, b: Traffic, by: (x: number, y: number) => number): Traffic {
  return {
    bytesIn: by(a.bytesIn, b.bytesIn),
    bytesOut: by(a.bytesOut, b.bytesOut),
    packetsIn: by(a.packetsIn, b.packetsIn),
    packetsOut: by(a.packetsOut, b.packetsOut),
  };
}

function isInstalled({ state }: ChildSa): boolean {
  return state === 'INSTALLED' || state === 'REKEYING';
}
