// Is everything in force, and where not? Policies and hosts with the worst first, each with a verdict of its own. What counts is
// what hosts report against the facts as they stand now, not what the manager last wrote. How it is printed: commands/.
import type { ClusterView } from './cluster-view.ts';
import { hostStandings, type HostStanding } from './host-standing.ts';
import { leaderStanding, type LeaderStanding } from './leader-standing.ts';
import { policyStandings, type PolicyStanding, type StatusFilter } from './policy-standing.ts';
import { compareText } from './problem.ts';
import { compareVerdicts, worst, type Finding, type Verdict } from './verdict.ts';

export interface ClusterStatus {
  readonly verdict: Verdict;
  readonly leader: LeaderStanding;
  /** Worst first, then by name; so are hosts. */
  readonly policies: readonly PolicyStanding[];
  readonly hosts: readonly HostStanding[];
  /** Of the cluster as a whole, a sentence each, the weightiest first. */
  readonly findings: readonly Finding[];
}

export function clusterStatus(view: ClusterView, only: StatusFilter = {}): ClusterStatus {
  const leader = leaderStanding(view.leader, view.nowMs);
  const policies = worstFirst(policyStandings(view, leader, only), ({ name }) => name);
  const hosts = worstFirst(hostStandings(view), ({ name }) => name).filter(isMeant(policies, only));
  const findings = worstFirst(findingsOf(view, leader), ({ message }) => message);
  const all = [...policies, ...hosts, ...findings].map(({ verdict }) => verdict);
  return { verdict: worst(all), leader, policies, hosts, findings };
}

/** What to say about a name that is not there; undefined when all is well. */
export function unknownName(view: ClusterView, only: StatusFilter): string | undefined {
  const policies = view.policies.map(({ name }) => name);
  const hosts = hostStandings(view).map(({ name }): string => name);
  if (only.policy !== undefined && !policies.includes(only.policy))
    return `there is no IPsecPolicy "${only.policy}"; ${known(policies)}`;
  if (only.host !== undefined && !hosts.includes(only.host))
    return `no host "${only.host}" has an agent; ${known(hosts)}`;
  return undefined;
}

function known(names: readonly string[]): string {
  const sorted = [...names].sort(compareText);
  if (sorted.length === 0) return 'there is none at all';
  return `there ${sorted.length === 1 ? 'is' : 'are'} ${sorted.slice(0, 10).join(', ')}${sorted.length > 10 ? ` and ${sorted.length - 10} more` : ''}`;
}

/** With a policy: the hosts that stand in its way. */
function isMeant(policies: readonly PolicyStanding[], only: StatusFilter): (host: HostStanding) => boolean {
  if (only.host !== undefined) return ({ name }) => name === only.host;
  if (only.policy === undefined) return () => true;
  const missing = new Set<string>(policies.flatMap((policy) => policy.missing.map(({ host }) => host)));
  return ({ name }) => missing.has(name);
}

function findingsOf(view: ClusterView, leader: LeaderStanding): Finding[] {
  const found: Finding[] = view.unreadable.map((message) => ({ verdict: 'unknown', message }));
  if (leader.state === 'none')
    found.push({
      verdict: 'unknown',
      message: `No manager leads${leader.holder === '' ? '' : ` (${leader.holder} fell silent)`}: what is in force stays so, and no change of a policy or a pod is followed. Check the pods of the Deployment ipsec-policy-manager.`,
    });
  if (view.network === undefined && view.policies.length > 0)
    found.push({
      verdict: 'wrong',
      message: 'There is no IPsecNetwork "cluster", so agents plan nothing. The manager writes it.',
    });
  if (view.network !== undefined && view.network.guardMode !== 'enforce')
    found.push({
      verdict: 'well',
      message: `The guard is set to ${view.network.guardMode}: while charon has a gap, traffic leaves in plaintext.`,
    });
  return [...found, ...view.hidden.map((message): Finding => ({ verdict: 'well', message }))];
}

function worstFirst<Item extends { readonly verdict: Verdict }>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
): Item[] {
  return items.toSorted((a, b) => compareVerdicts(a.verdict, b.verdict) || compareText(nameOf(a), nameOf(b)));
}
