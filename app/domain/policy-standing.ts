// Is a policy in force on every host, row by row, and what is missing where? Out of facts and reports as they stand now; the
// manager's conditions add what only it knows (services, ports) and what to do.
import type { ClusterView, DatedCondition, PolicyView, ReportView } from './cluster-view.ts';
import type { EndpointFact, HostName, ShardFact, Stage } from './facts.ts';
import { shardsBehind } from './host-standing.ts';
import type { LeaderStanding } from './leader-standing.ts';
import { formatPort } from './ports.ts';
import type { RowStatus } from './policy-status.ts';
import { serviceKey } from './resolve.ts';
import type { Verdict } from './verdict.ts';

export interface PolicyStanding {
  readonly name: string;
  readonly verdict: Verdict;
  /** `in force`, or one word why not: the reason of a condition. */
  readonly state: string;
  readonly hosts: number;
  readonly hostsInForce: number;
  /** RFC 3339: since when `Programmed` is what it is; absent until a manager has looked. */
  readonly since?: string;
  readonly rows: readonly RowStanding[];
  /** Hosts that do not have it in force. */
  readonly missing: readonly MissingHost[];
  /** What the manager says about it, and what to do. */
  readonly findings: readonly string[];
}

export interface RowStanding {
  readonly name: string;
  readonly service: string;
  readonly verdict: Verdict;
  readonly ports: readonly { readonly port: string; readonly stage?: Stage }[];
  readonly endpoints: readonly EndpointFact[];
  readonly hosts: number;
  readonly hostsInForce: number;
}

export interface MissingHost {
  readonly host: HostName;
  readonly why: string;
  /** RFC 3339: when its report was last written. */
  readonly reportedAt?: string;
}

/** Narrows the look. */
export interface StatusFilter {
  readonly policy?: string;
  readonly host?: string;
}

/** Unsorted. With a host in the filter all of it is about that host alone. */
export function policyStandings(
  view: ClusterView,
  leader: LeaderStanding,
  only: StatusFilter,
): PolicyStanding[] {
  const names = view.hosts
    .map(({ name }) => name)
    .filter((name) => only.host === undefined || name === only.host);
  const meant = view.policies.filter(({ name }) => only.policy === undefined || name === only.policy);
  return meant.map((policy) =>
    standingOf(policy, names, { view, leader, isNarrowed: only.host !== undefined }),
  );
}

interface Around {
  readonly view: ClusterView;
  readonly leader: LeaderStanding;
  /** The conditions speak of all hosts, and only one is asked for. */
  readonly isNarrowed: boolean;
}

function standingOf(policy: PolicyView, hosts: readonly HostName[], around: Around): PolicyStanding {
  const { view, isNarrowed } = around;
  const status = policy.status;
  const rows = (status?.rows ?? []).map((row) => rowStanding(row, hosts, view));
  const shards = view.shards.filter((shard) => rows.some(({ service }) => service === keyOf(shard)));
  const missing = hosts.flatMap((host) => missingHost(host, shards, view));
  const programmed = status?.conditions.find(({ type }) => type === 'Programmed');
  const { verdict, state } = verdictOf(policy, { programmed, rows, missing }, around);
  return {
    name: policy.name,
    verdict,
    state,
    hosts: hosts.length,
    hostsInForce: shards.length === 0 ? 0 : hosts.length - missing.length,
    ...(programmed === undefined ? {} : { since: programmed.lastTransitionTime }),
    rows,
    missing,
    findings: isNarrowed ? [] : findingsOf(policy),
  };
}

interface Found {
  readonly programmed: DatedCondition | undefined;
  readonly rows: readonly RowStanding[];
  readonly missing: readonly MissingHost[];
}

function verdictOf(
  policy: PolicyView,
  { programmed, rows, missing }: Found,
  { leader, isNarrowed }: Around,
): Pick<PolicyStanding, 'verdict' | 'state'> {
  const isSeen = policy.status?.observedGeneration === policy.generation;
  if (!isSeen || programmed === undefined)
    return leader.state === 'none'
      ? { verdict: 'unknown', state: 'NoManager' }
      : { verdict: 'wrong', state: 'Pending' };
  if (!isNarrowed && programmed.status !== 'True') return { verdict: 'wrong', state: programmed.reason };
  if (missing.length > 0 || rows.some(({ verdict }) => verdict === 'wrong'))
    return { verdict: 'wrong', state: 'Pending' };
  return leader.state === 'none'
    ? { verdict: 'unknown', state: 'NoManager' }
    : { verdict: 'well', state: 'in force' };
}

function findingsOf({ generation, status }: PolicyView): string[] {
  if (status?.observedGeneration !== generation)
    return ['The manager has not looked at it yet as it stands now.'];
  const messages = status.conditions
    .filter(({ status: is }) => is !== 'True')
    .map(({ reason, message }) => `${reason}: ${message}`);
  return [...new Set(messages)];
}

function rowStanding(row: RowStatus, hosts: readonly HostName[], view: ClusterView): RowStanding {
  const shards = view.shards.filter((shard) => keyOf(shard) === row.service);
  const stages = new Map(
    shards.flatMap(({ stages: list }) => list).map((entry) => [formatPort(entry), entry.stage]),
  );
  const ports = row.ports.map((port) => {
    const stage = stages.get(port);
    return stage === undefined ? { port } : { port, stage };
  });
  const lacking = hosts.filter((host) => shardsBehind(shards, reportOf(view, host)).length > 0);
  const isWell = ports.length > 0 && lacking.length === 0 && ports.every(({ stage }) => stage === 'enforce');
  const own = new Set(row.ports);
  return {
    name: row.name,
    service: row.service,
    verdict: isWell ? 'well' : 'wrong',
    ports,
    endpoints: shards
      .flatMap(({ endpoints }) => endpoints)
      .filter((endpoint) => endpoint.ports.some((port) => own.has(formatPort(port)))),
    hosts: hosts.length,
    hostsInForce: shards.length === 0 ? 0 : hosts.length - lacking.length,
  };
}

/** Why a host does not have these shards as they are now; the first thing that explains it. */
function missingHost(host: HostName, shards: readonly ShardFact[], view: ClusterView): MissingHost[] {
  const seen = reportOf(view, host);
  const behind = shardsBehind(shards, seen);
  const [first] = behind;
  if (first === undefined) return [];
  const more = behind.length > 1 ? ` and ${behind.length - 1} more` : '';
  const why = `lacks ${first}${more} as it stands now: ${whyBehind(host, seen, view)}`;
  return [{ host, why, ...(seen?.writtenAt === undefined ? {} : { reportedAt: seen.writtenAt }) }];
}

function whyBehind(host: HostName, seen: ReportView | undefined, view: ClusterView): string {
  if (view.nodes?.get(host) === false) return 'its Node is not Ready; it follows when it is.';
  if (seen?.report === undefined) return 'it has never reported: check the pod of its agent.';
  const [problem] = seen.report.problems;
  if (problem !== undefined) return `it reports ${problem.reason} of ${problem.subject}.`;
  if (view.network !== undefined && seen.report.networkUid !== view.network.uid)
    return 'its report is of an earlier installation: check the pod of its agent.';
  return 'it has reported an earlier version. If it stays so, check the pod of its agent.';
}

function reportOf(view: ClusterView, host: HostName): ReportView | undefined {
  return view.reports.find((report) => report.host === host);
}

function keyOf(shard: ShardFact): string {
  return serviceKey(shard.namespace, shard.service);
}
