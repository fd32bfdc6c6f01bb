// On which hosts does nothing hold what has no tunnel, although it should? Out of the hosts' reports, as obstacles of Programmed.
import { shorten } from './endpoint-problems.ts';
import type { GuardMode, GuardStanding, HostName, HostReport } from './facts.ts';
import type { ProblemReason } from './problem.ts';

/** What IPsecNetwork asks for, and what hosts say. */
export interface GuardInput {
  readonly guardMode: GuardMode;
  readonly reports: readonly HostReport[];
}

const NAMED_AT_MOST = 5;

const WHAT: Readonly<Record<Exclude<GuardStanding, 'enforce' | 'none'>, string>> = {
  missing: `the guard's table is gone again each time the agent makes it. Find who removes it there ("nft monitor"; a firewall service that flushes all tables?)`,
  differs: `the guard is not as it should be. See the agent's log there, and who else changes its table ("nft monitor")`,
  unknown: `the guard cannot be read or changed. See the agent's log there; "nft list tables" must work on the host`,
  observe: 'the guard only counts, in mode observe, though the mode is enforce by now. See the agent there',
  off: 'there is no guard, as in mode off, though the mode is enforce by now. See the agent there',
};

/** By state, the hosts that have reported it and should not have. Hosts that never reported are named elsewhere. */
export function unguardedHosts({ guardMode, reports }: GuardInput): Map<keyof typeof WHAT, HostName[]> {
  const states = guardMode !== 'enforce' ? [] : reports.map(({ host, guard }) => ({ host, ...guard }));
  const wrong = states.flatMap(({ host, state }) =>
    state === 'enforce' || state === 'none' ? [] : [{ host, state }],
  );
  const groups = Map.groupBy(wrong, ({ state }) => state);
  return new Map([...groups].map(([state, hosts]) => [state, hosts.map(({ host }) => host).sort()]));
}

/** One sentence for each state; none for a host that says itself why it cannot keep its guard. */
export function guardObstacles(input: GuardInput): { reason: ProblemReason; message: string }[] {
  const explained = new Set(
    input.reports
      .filter(({ problems }) => problems.some(({ reason }) => reason === 'GuardMissing'))
      .map(({ host }) => host),
  );
  return [...unguardedHosts(input)].flatMap(([state, hosts]) => {
    const named = hosts.filter((host) => !explained.has(host));
    if (named.length === 0) return [];
    return [
      { reason: 'GuardMissing', message: `Hosts ${shorten(named, NAMED_AT_MOST)}: ${WHAT[state]}.` } as const,
    ];
  });
}
