// What the manager says to Prometheus beside what both programs say: whether it leads, and how policies and hosts stand. Only the
// leader knows; a manager that does not lead shows none of it.
import { Gauge, Histogram, type Registry } from 'prom-client';
import type { StatusInput } from '../domain/programmed.ts';
import type { Clock } from '../runtime/clock.ts';
import type { PolicyStanding } from './report-problems.ts';

export interface ManagerMetrics {
  readonly onLeading: (isLeading: boolean) => void;
  readonly onStandings: (input: StatusInput, policies: readonly PolicyStanding[]) => void;
}

const PROGRAMMED_SECONDS = [1, 3, 10, 30, 60, 120, 300, 1000];

export function managerMetrics(registry: Registry, clock: Pick<Clock, 'monotonic'>): ManagerMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
  const leader = gauge('ipsec_policy_leader', '1 while this manager leads');
  leader.set(0);
  const notProgrammed = gauge(
    'ipsec_policy_policies_not_programmed',
    'Policies whose condition Programmed is not True; 0 when all is well. Look here first',
  );
  const programmed = new Gauge({
    name: 'ipsec_policy_programmed',
    help: '1 while the condition Programmed of a policy is True',
    labelNames: ['policy'],
    registers,
  });
  const endpoints = new Gauge({
    name: 'ipsec_policy_endpoints',
    help: 'Endpoints that a policy protects',
    labelNames: ['policy'],
    registers,
  });
  const hosts = gauge('ipsec_policy_hosts', 'Hosts with an agent');
  const silent = gauge(
    'ipsec_policy_hosts_silent',
    'Ready hosts that do not report for longer than a stage waits; 0 when all is well',
  );
  const seconds = new Histogram({
    name: 'ipsec_policy_programmed_seconds',
    help: 'From a policy or what it names being changed to Programmed being True',
    buckets: PROGRAMMED_SECONDS,
    registers,
  });
  /** Without labels a gauge is 0 unless it is removed; with labels `reset` takes all series away. */
  const forget = (): void => {
    for (const each of [notProgrammed, hosts, silent]) each.remove();
    for (const each of [programmed, endpoints]) each.reset();
  };
  forget();
  /** By uid: since when it has not been in force. */
  const since = new Map<string, number>();
  return {
    onLeading: (isLeading) => {
      leader.set(isLeading ? 1 : 0);
      if (!isLeading) forget();
    },
    onStandings: ({ resolved, overdue }, policies) => {
      const nowMs = clock.monotonic();
      for (const each of [programmed, endpoints]) each.reset();
      const isTrue = ({ wanted }: PolicyStanding): boolean =>
        wanted.conditions.some(({ type, status }) => type === 'Programmed' && status === 'True');
      for (const standing of policies) {
        const { name, uid } = standing.entry.value.policy;
        programmed.set({ policy: name }, isTrue(standing) ? 1 : 0);
        endpoints.set({ policy: name }, standing.wanted.endpoints);
        const began = since.get(uid);
        if (!isTrue(standing)) since.set(uid, began ?? nowMs);
        else if (began !== undefined) seconds.observe((nowMs - began) / 1000);
        if (isTrue(standing)) since.delete(uid);
      }
      const uids = new Set(policies.map(({ entry }) => entry.uid));
      for (const uid of since.keys()) if (!uids.has(uid)) since.delete(uid);
      notProgrammed.set(policies.filter((standing) => !isTrue(standing)).length);
      hosts.set(resolved.hosts.length);
      silent.set(overdue.size);
    },
  };
}
