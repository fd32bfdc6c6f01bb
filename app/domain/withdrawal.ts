// Is all protection taken away, and which hosts may still have some? For the removal of the application: what a host keeps then
// stays for ever. Pure; how it is taken away is the manager's ordinary roll-out of a world without policies.
import { reportIndex } from './answers.ts';
import type { HostName, HostReport, ShardFact } from './facts.ts';
import { compareText } from './problem.ts';

export interface Withdrawal {
  /** Every IPsecService as it stands in the API. */
  readonly shards: readonly ShardFact[];
  /** Hosts with an IPsecHost: any of them may have something loaded. */
  readonly hosts: readonly HostName[];
  readonly readyHosts: ReadonlySet<HostName>;
  readonly reports: readonly HostReport[];
}

/** Hosts that may still have connections, SAs, a file or held traffic, sorted. */
export function holders({ shards, hosts, reports }: Withdrawal): HostName[] {
  const hasReported = reportIndex(reports);
  const byHost = new Map(reports.map((report) => [report.host, report]));
  const mayHold = (host: HostName): boolean => {
    const report = byHost.get(host);
    if (report !== undefined && (hasTunnels(report) || !isGuardGone(report))) return true;
    return !shards.every(({ version }) => hasReported(host, version));
  };
  return hosts.filter(mayHold).sort(compareText);
}

function hasTunnels({ counters }: HostReport): boolean {
  return counters.connections > 0 || counters.childSas > 0;
}

/** Read back: a table that cannot be read may go on dropping. */
function isGuardGone({ guard }: HostReport): boolean {
  return guard.state === 'off' || guard.state === 'none';
}

/** True when nothing is protected any more, and no host that is Ready has anything left; those that are not cannot be waited for. */
export function isWithdrawn(withdrawal: Withdrawal): boolean {
  const isReleased = withdrawal.shards.every(({ stages }) => stages.every(({ stage }) => stage === 'gone'));
  return isReleased && !holders(withdrawal).some((host) => withdrawal.readyHosts.has(host));
}
