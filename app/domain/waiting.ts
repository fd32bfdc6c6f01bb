// Who holds which step, and for how long already? A host that is Ready and does not report holds a step for a bound only; then
// it is overdue and holds nothing, until it has caught up. The clock is the caller's: times come in as values.
import type { HostName, Stage } from './facts.ts';
import type { Port } from './ports.ts';
import { formatPort } from './ports.ts';

/** A port of a service that cannot go on yet. Without hosts: there is nobody who could answer. */
export interface Waiting extends Port {
  /** `namespace/name`. */
  readonly service: string;
  readonly stage: Stage;
  readonly hosts: readonly HostName[];
}

/** What the manager remembers of waits from pass to pass; a new leader starts with nothing and may wait once more. */
export interface WaitClock {
  /** When each wait began, in milliseconds, by service, port and stage: not by version, so that churn cannot prolong it. */
  readonly since: ReadonlyMap<string, number>;
  /** Hosts that are overdue, with the services that they lag behind in. */
  readonly lagging: ReadonlyMap<HostName, ReadonlySet<string>>;
  readonly overdue: ReadonlySet<HostName>;
  readonly noAgentsOverdue: boolean;
  /** When the next wait ends by the bound; absent when nothing waits that has not ended. */
  readonly wakeAtMs?: number;
}

export const NO_WAITS: WaitClock = {
  since: new Map(),
  lagging: new Map(),
  overdue: new Set(),
  noAgentsOverdue: false,
};

/** The bound of the architecture: a Ready host that does not report holds a stage 30 s at most. */
export const MAX_WAIT_MS = 30_000;

/** What a pass found: the waits, and by service the Ready hosts that have not reported its shards as they stand. */
export interface WaitsOfPass {
  readonly waiting: readonly Waiting[];
  readonly lagging: ReadonlyMap<string, readonly HostName[]>;
}

/** The clock after a pass at `nowMs`. When its overdue hosts differ from `before`, another pass goes further. */
export function tick(
  before: WaitClock,
  { waiting, lagging }: WaitsOfPass,
  nowMs: number,
  maxWaitMs = MAX_WAIT_MS,
): WaitClock {
  const since = new Map(waiting.map((wait) => [waitKey(wait), before.since.get(waitKey(wait)) ?? nowMs]));
  const isOver = (wait: Waiting): boolean => nowMs - (since.get(waitKey(wait)) ?? nowMs) >= maxWaitMs;
  const over = waiting.filter(isOver);
  const pairs = [...stillLagging(before, lagging), ...over.flatMap(hostsOf)];
  const byHost = Map.groupBy(pairs, ([host]) => host);
  const pending = waiting.filter((wait) => !isOver(wait)).map((wait) => since.get(waitKey(wait)) ?? nowMs);
  return {
    since,
    lagging: new Map(
      [...byHost].map(([host, services]) => [host, new Set(services.map(([, service]) => service))]),
    ),
    overdue: new Set(byHost.keys()),
    noAgentsOverdue: over.some((wait) => wait.hosts.length === 0),
    ...(pending.length === 0 ? {} : { wakeAtMs: Math.min(...pending) + maxWaitMs }),
  };
}

type HostAndService = readonly [HostName, string];

function hostsOf({ service, hosts }: Waiting): HostAndService[] {
  return hosts.map((host): HostAndService => [host, service]);
}

/** A host that was given up stays so while it lags, else a broken host would hold every stage of every policy anew. */
function stillLagging(before: WaitClock, lagging: WaitsOfPass['lagging']): HostAndService[] {
  return [...before.lagging].flatMap(([host, services]) =>
    [...services]
      .filter((service) => lagging.get(service)?.includes(host))
      .map((service): HostAndService => [host, service]),
  );
}

function waitKey(wait: Waiting): string {
  return `${wait.service} ${formatPort(wait)} ${wait.stage}`;
}
