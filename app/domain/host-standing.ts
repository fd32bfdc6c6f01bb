// How does one host stand? Its Node, its agent, charon, guard and figures, with what is wrong there. What it lacks of a policy:
// policy-standing.ts.
import type { AgentView, ClusterView, ReportView } from './cluster-view.ts';
import { shorten } from './endpoint-problems.ts';
import type {
  GuardReport,
  GuardStanding,
  HostName,
  ReportCounters,
  ReportedProblem,
  ShardFact,
} from './facts.ts';
import { compareText } from './problem.ts';
import type { Verdict } from './verdict.ts';

export interface HostStanding {
  readonly name: HostName;
  readonly verdict: Verdict;
  /** `unknown`: Nodes may not be read. */
  readonly node: 'Ready' | 'NotReady' | 'absent' | 'unknown';
  /** `unknown`: Pods may not be read. */
  readonly agent: 'ready' | 'not ready' | 'no pod' | 'unknown';
  /** Version, `unreachable`, or empty while there is no report. */
  readonly charon: string;
  /** This and the next: absent while there is no report. */
  readonly guard?: GuardReport;
  readonly counters?: ReportCounters;
  readonly peersNotReached: readonly HostName[];
  readonly problems: readonly ReportedProblem[];
  /** Shards of which it has not reported the version that stands now. Sorted. */
  readonly behind: readonly string[];
  /** RFC 3339: when its report last changed; absent when not known. */
  readonly reportedAt?: string;
  /** One sentence each, the weightiest first. */
  readonly findings: readonly string[];
}

/** Every host with an IPsecHost, a report or a labelled Node, sorted by name. */
export function hostStandings(view: ClusterView): HostStanding[] {
  const names = new Set<HostName>([
    ...view.hosts.map(({ name }) => name),
    ...view.reports.map(({ host }) => host),
    ...(view.nodes?.keys() ?? []),
  ]);
  return [...names].sort(compareText).map((name) => standingOf(name, view));
}

function standingOf(name: HostName, view: ClusterView): HostStanding {
  const seen = view.reports.find(({ host }) => host === name);
  const host = {
    name,
    node: nodeState(name, view),
    agent: agentState(podOf(name, view.agents), view.agents),
    charon: charonState(seen),
    peersNotReached: seen?.report?.peersNotReached ?? [],
    problems: seen?.report?.problems ?? [],
    behind: shardsBehind(view.shards, seen),
    ...(seen?.report === undefined ? {} : { guard: seen.report.guard, counters: seen.report.counters }),
    ...(seen?.writtenAt === undefined ? {} : { reportedAt: seen.writtenAt }),
  };
  const findings = [...placeFindings(host, view), ...reportedFindings(host)];
  return { ...host, verdict: findings.length === 0 ? 'well' : 'wrong', findings };
}

type Bare = Omit<HostStanding, 'verdict' | 'findings'>;

/** Of its Node, its pod, its facts: why there may be no news from it. */
function placeFindings({ name, node, agent, counters }: Bare, view: ClusterView): string[] {
  const pod = podOf(name, view.agents)?.pod ?? '';
  return [
    ...say(node === 'NotReady', 'Its Node is not Ready.'),
    ...say(node === 'absent', 'It has no Node with the label ipsec-policy-agent-operator=enabled.'),
    ...say(agent === 'not ready', `The pod of its agent is not ready: see the log of ${pod}.`),
    ...say(agent === 'no pod', 'No pod of the agent runs there: check the DaemonSet ipsec-policy-agent.'),
    ...say(counters === undefined, 'It has never reported: check the pod of its agent.'),
    ...say(
      !view.hosts.some((host) => host.name === name),
      'It has no IPsecHost: it needs an address and a Calico block.',
    ),
  ];
}

/** What it says of itself. */
function reportedFindings({ guard, problems, peersNotReached, behind, counters }: Bare): string[] {
  const isTold = (reason: string): boolean => problems.some((problem) => problem.reason === reason);
  const guardWords = guard && GUARD_WORDS[guard.state];
  return [
    ...(guardWords === undefined || isTold('GuardMissing') ? [] : [guardWords]),
    ...problems.map(({ reason, subject, message }) => `${reason} ${subject}: ${message}`),
    ...say(
      peersNotReached.length > 0 && !isTold('PeerNotReached'),
      `No tunnel to ${peersNotReached.join(', ')}: check charon on both hosts and the network between them.`,
    ),
    ...say(
      behind.length > 0 && counters !== undefined,
      `Not in force there as it stands now: ${shorten(behind, 5)}.`,
    ),
  ];
}

function say(isTrue: boolean, text: string): string[] {
  return isTrue ? [text] : [];
}

/** Names of shards of which the host has not reported uid and generation as they stand. */
export function shardsBehind(shards: readonly ShardFact[], seen: ReportView | undefined): string[] {
  const loaded = new Map(seen?.report?.loaded.map((version) => [version.name, version]));
  return shards
    .filter(({ version: { name, uid, generation } }) => {
      const reported = loaded.get(name);
      return reported?.uid !== uid || reported.generation !== generation;
    })
    .map(({ version }) => version.name)
    .sort(compareText);
}

function nodeState(name: HostName, { nodes }: ClusterView): HostStanding['node'] {
  if (nodes === undefined) return 'unknown';
  const ready = nodes.get(name);
  return ready === undefined ? 'absent' : ready ? 'Ready' : 'NotReady';
}

/** The ready one of several: one of them is on its way out. */
export function podOf(name: string, agents: readonly AgentView[] | undefined): AgentView | undefined {
  const here = (agents ?? []).filter(({ host }) => host === name);
  return here.find(({ ready }) => ready) ?? here[0];
}

/** Without any pod of an agent at all agents run in some other way, or elsewhere. */
function agentState(
  pod: AgentView | undefined,
  agents: readonly AgentView[] | undefined,
): HostStanding['agent'] {
  if (agents === undefined || agents.length === 0) return 'unknown';
  if (pod === undefined) return 'no pod';
  return pod.ready ? 'ready' : 'not ready';
}

function charonState(seen: ReportView | undefined): string {
  if (seen?.report === undefined) return '';
  const isAway = seen.report.problems.some(({ reason }) => reason === 'CharonUnreachable');
  return isAway ? 'unreachable' : seen.report.charonVersion;
}

const GUARD_WORDS: Readonly<Partial<Record<GuardStanding, string>>> = {
  missing: 'Its guard should stand and does not: while charon has a gap, traffic leaves in plaintext.',
  differs: 'Its guard is not what it should be; its agent puts it back.',
};
