// What stands between a policy and `Programmed=True`? Obstacles, each with a reason and a sentence that names hosts and says
// what to do. How they become a condition: conditions.ts.
import { shorten } from './endpoint-problems.ts';
import type { GuardMode, HostName, HostReport } from './facts.ts';
import { guardObstacles } from './guard-in-place.ts';
import { formatPort } from './ports.ts';
import type { ProblemReason } from './problem.ts';
import type { Resolved } from './resolve.ts';
import type { ResolvedRow } from './resolve-row.ts';
import type { StandingOf } from './service-standing.ts';

export interface Obstacle {
  readonly reason: string;
  readonly message: string;
}

/** Everything that is known when statuses are made. */
export interface StatusInput {
  readonly resolved: Resolved;
  readonly reports: readonly HostReport[];
  /** What IPsecNetwork asks for. */
  readonly guardMode: GuardMode;
  readonly standingOf: StandingOf;
  /** Hosts that are Ready and were waited for longer than the bound. */
  readonly overdue: ReadonlySet<HostName>;
}

const NAMED_AT_MOST = 5;

/** The weightiest first; empty when all that the accepted rows ask for is in force on every host. */
export function obstacles(rows: readonly ResolvedRow[], input: StatusInput): Obstacle[] {
  if (input.resolved.hosts.length === 0) return [noAgents()];
  const accepted = rows.filter((row) => row.accepted);
  if (accepted.length === 0)
    return [{ reason: 'NotAccepted', message: 'No row is accepted, so nothing is protected.' }];
  return [
    ...accepted.flatMap(unresolved),
    ...accepted.flatMap(withoutAgent),
    ...reported(accepted, input),
    ...guardObstacles({ ...input, reports: ofAgents(input) }),
    ...silentHosts(accepted, input),
    ...accepted.flatMap((row) => unfinished(row, input)),
  ];
}

function noAgents(): Obstacle {
  const message =
    'No host has an agent, so traffic to these services is held wherever it would leave in plaintext. Label the hosts ipsec-policy-agent-operator=enabled.';
  return { reason: 'NoAgents', message };
}

/** Ports that lead nowhere, or nowhere yet. */
function unresolved({ row, service, ports, problems, wanted }: ResolvedRow): Obstacle[] {
  const reasons = ['ServiceNotFound', 'ExternalNameService', 'PortNotFound'];
  const found = problems.filter(({ reason }) => reasons.includes(reason));
  if (found.length > 0 || ports.length > 0 || wanted.length === 0) return found;
  const message = `The ports of ${service} (${row.servicePorts}) are known when it has its first pod.`;
  return [{ reason: 'Pending', message }];
}

function withoutAgent({ problems }: ResolvedRow): Obstacle[] {
  return problems.filter(({ reason }) => reason === 'HostWithoutAgent');
}

/**
 * Said in events, metrics and by `status`, and no obstacle: with them all that is asked for is in force, and what a policy
 * promises holds.
 */
const NO_OBSTACLES: readonly string[] = ['TunnelSilent', 'ClockOff'] satisfies ProblemReason[];

/** What hosts report of themselves, as far as it may concern these rows. */
function reported(rows: readonly ResolvedRow[], input: StatusInput): Obstacle[] {
  const own = new Set(rows.map((row) => row.service));
  const others = new Set(
    input.resolved.rows.map((row) => row.service).filter((service) => !own.has(service)),
  );
  const agents = new Set<string>(input.resolved.hosts.map(({ name }) => name));
  const withEndpoints = new Set<string>(rows.flatMap((row) => row.endpoints.map(({ host }) => host)));
  const concerns = (host: string, subject: string): boolean => {
    if (agents.has(subject) && subject !== host) return withEndpoints.has(host) || withEndpoints.has(subject);
    return !others.has(subject);
  };
  return ofAgents(input).flatMap((report) =>
    problemsOf(report)
      .filter(({ reason, subject }) => !NO_OBSTACLES.includes(reason) && concerns(report.host, subject))
      .map(({ reason, message }) => ({ reason, message: `${report.host}: ${message}` })),
  );
}

/** Of hosts that are no hosts of ours any more nothing counts. */
function ofAgents({ resolved, reports }: StatusInput): HostReport[] {
  const agents = new Set(resolved.hosts.map(({ name }) => name));
  return reports.filter(({ host }) => agents.has(host));
}

/** What a host says of itself, and the peers that it does not reach. */
export function problemsOf(report: HostReport): HostReport['problems'] {
  const told = new Set(
    report.problems.filter(({ reason }) => reason === 'PeerNotReached').map(({ subject }) => subject),
  );
  const unreached = report.peersNotReached.filter((peer) => !told.has(peer));
  return [
    ...report.problems,
    ...unreached.map((peer) => ({
      reason: 'PeerNotReached',
      subject: peer,
      message: `No tunnel to ${peer} could be made. Check charon on both hosts and the cluster-host network between them.`,
    })),
  ];
}

/** Hosts that have not reported: those that are down, those that are overdue, and those that are expected to any moment. */
function silentHosts(
  rows: readonly ResolvedRow[],
  { resolved, standingOf, overdue }: StatusInput,
): Obstacle[] {
  const services = rows.filter((row) => row.ports.length > 0).map((row) => standingOf(row.service));
  const silent = resolved.hosts
    .map(({ name }) => name)
    .filter((name) => !services.every((standing) => standing.hostsInForce.includes(name)));
  const {
    down = [],
    late = [],
    soon = [],
  } = Object.groupBy(silent, (name) => {
    if (!resolved.readyHosts.has(name)) return 'down';
    return overdue.has(name) ? 'late' : 'soon';
  });
  return [
    ...silence('HostNotReady', down, 'not Ready and not yet in force there; it follows when they are'),
    ...silence('Pending', late, 'Ready but do not report; check the agent pods there'),
    ...silence('Pending', soon, 'expected to report'),
  ];
}

function silence(reason: string, hosts: readonly HostName[], what: string): Obstacle[] {
  return hosts.length === 0 ? [] : [{ reason, message: `Hosts ${shorten(hosts, NAMED_AT_MOST)}: ${what}.` }];
}

/** Ports and endpoints that are on their way. Endpoints on hosts without an agent are named elsewhere. */
function unfinished(row: ResolvedRow, { resolved, standingOf }: StatusInput): Obstacle[] {
  const standing = standingOf(row.service);
  const agents = new Set(resolved.hosts.map(({ name }) => name));
  const ports = row.ports.map((port) => ({
    text: formatPort(port),
    stage: standing.stages.get(formatPort(port)),
  }));
  const moving = ports
    .filter(({ stage }) => stage !== 'enforce')
    .map(({ text, stage = 'not begun' }) => `${text} ${stage}`);
  const waiting = row.endpoints
    .filter(({ address, host }) => agents.has(host) && !isActive(standing.endpoints.get(address), host))
    .map(({ address, host }) => `${address} on ${host}`);
  return [
    ...progress(`Ports of ${row.service}`, moving),
    ...progress(`Endpoints of ${row.service} that their hosts have not taken up yet`, waiting),
  ];
}

function isActive(
  fact: { readonly host: HostName; readonly state: string } | undefined,
  host: HostName,
): boolean {
  return fact?.host === host && fact.state === 'active';
}

function progress(what: string, items: readonly string[]): Obstacle[] {
  return items.length === 0
    ? []
    : [{ reason: 'Pending', message: `${what}: ${shorten(items, NAMED_AT_MOST)}.` }];
}
