// Who has said what about the shards of a service, and who is still waited for? Reports count for exactly the version that
// stands in the API (uid and generation). What an answer allows: stages.ts and shard-endpoints.ts.
import type { HostName, ShardFact, ShardVersion } from './facts.ts';
import { compareText } from './problem.ts';
import type { Resolved } from './resolve.ts';
import type { RollOutState } from './world.ts';

/** Answers of the whole cluster. */
export interface Answers {
  /** Every host with an IPsecHost: any of them may have something loaded. */
  readonly agents: ReadonlySet<HostName>;
  /** Those that hold a step: Ready and not overdue. */
  readonly awaited: ReadonlySet<HostName>;
  /** Ready, overdue or not. */
  readonly ready: ReadonlySet<HostName>;
  /** Whether steps go on when nobody is awaited: after the bound, never at once (all hosts may be starting). */
  readonly mayGoAlone: boolean;
  readonly hasReported: (host: HostName, version: ShardVersion) => boolean;
}

export function answersOf(
  resolved: Pick<Resolved, 'hosts' | 'readyHosts'>,
  state: Omit<RollOutState, 'shards'>,
): Answers {
  const agents = new Set(resolved.hosts.map(({ name }) => name));
  const ready = [...agents].filter((name) => resolved.readyHosts.has(name));
  const hasReported = reportIndex(state.reports);
  return {
    agents,
    awaited: new Set(ready.filter((name) => !state.overdue.has(name))),
    ready: new Set(ready),
    mayGoAlone: state.noAgentsOverdue || ready.some((name) => state.overdue.has(name)),
    hasReported,
  };
}

/** Which host has reported which version. */
export function reportIndex(reports: RollOutState['reports']): Answers['hasReported'] {
  const loaded = new Map(
    reports.map((report) => [report.host, new Map(report.loaded.map((entry) => [entry.name, entry]))]),
  );
  return (host, version) => {
    const reported = loaded.get(host)?.get(version.name);
    return reported?.uid === version.uid && reported.generation === version.generation;
  };
}

/** Answers about one service: a host has answered when it has reported all shards. */
export interface ServiceAnswers {
  /** Awaited hosts without an answer, sorted. */
  readonly missing: readonly HostName[];
  /** Ready hosts without an answer, overdue or not, sorted. */
  readonly lagging: readonly HostName[];
  /** True when there is a host to wait for. */
  readonly isAnyoneAwaited: boolean;
  readonly mayGoAlone: boolean;
  /** True when no host, Ready or not, can have anything loaded that the shards as they stand do not say. */
  readonly isKnownToAll: boolean;
}

export function serviceAnswers(shards: readonly ShardFact[], answers: Answers): ServiceAnswers {
  const missing = (hosts: ReadonlySet<HostName>): HostName[] =>
    [...hosts].filter((host) => !shards.every((shard) => answers.hasReported(host, shard.version)));
  return {
    missing: missing(answers.awaited).sort(compareText),
    lagging: missing(answers.ready).sort(compareText),
    isAnyoneAwaited: answers.awaited.size > 0,
    mayGoAlone: answers.mayGoAlone,
    isKnownToAll: missing(answers.agents).length === 0,
  };
}
