// A cluster as a command sees it, in which all is well but for what a test says: three hosts, kube-dns, one policy.
import type { AgentView, ClusterView, PolicyView, ReportView } from '../../app/domain/cluster-view.ts';
import type { GuardStanding, HostReport } from '../../app/domain/facts.ts';
import { endpoint, host, hostName, network, shard } from './facts-builders.ts';

export const NOW = '2026-01-01T00:00:00Z';
const HOSTS = ['controller-0', 'controller-1', 'worker-0'] as const;

export interface ViewChanges extends Partial<Omit<ClusterView, 'network' | 'nodes' | 'agents' | 'shards'>> {
  readonly network?: ClusterView['network'];
  readonly nodes?: ClusterView['nodes'];
  readonly agents?: readonly AgentView[] | undefined;
  readonly notReady?: readonly string[];
  /** `udp/53=protect tcp/53`. */
  readonly stages?: string;
}

/** `reports` replace those of the same hosts alone. */
export function clusterView({
  reports = [],
  notReady = [],
  stages,
  ...changes
}: ViewChanges = {}): ClusterView {
  const own = new Map(reports.map((report) => [report.host, report]));
  return {
    nowMs: Date.parse(NOW),
    policies: [policyView('dns')],
    network: network(),
    hosts: [
      host('controller-0', ['192.168.206.2'], ['172.16.192.64/26']),
      host('controller-1', ['192.168.206.3'], ['172.16.166.128/26']),
      host('worker-0', ['192.168.206.66'], ['172.16.43.0/26']),
    ],
    shards: [
      shard({
        of: 'kube-system/kube-dns',
        generation: 2,
        stages: stages ?? 'udp/53 tcp/53',
        endpoints: [
          endpoint('172.16.166.178', 'controller-1', 'udp/53 tcp/53'),
          endpoint('172.16.192.115', 'controller-0', 'udp/53 tcp/53'),
        ],
      }),
    ],
    reports: HOSTS.map((name) => own.get(hostName(name)) ?? reportView(name)),
    leader: { kind: 'lease', holder: 'manager-1', renewedAt: NOW, durationSeconds: 15 },
    nodes: new Map(HOSTS.map((name) => [hostName(name), !notReady.includes(name)])),
    agents: HOSTS.map((name) => ({ pod: `agent-${name}`, host: name, ready: true, restarts: 0 })),
    unreadable: [],
    hidden: [],
    ...changes,
  };
}

export interface PolicyChanges {
  readonly generation?: number;
  readonly observedGeneration?: number;
  /** The reason why `Programmed` is False. */
  readonly programmed?: string;
}

export function policyView(name: string, changes: PolicyChanges = {}): PolicyView {
  const { generation = 1, observedGeneration = generation, programmed } = changes;
  const isTrue = programmed === undefined;
  return {
    name,
    generation,
    status: {
      observedGeneration,
      policies: 1,
      endpoints: 2,
      hosts: '3/3',
      conditions: [
        {
          type: 'Programmed',
          status: isTrue ? 'True' : 'False',
          reason: programmed ?? 'Programmed',
          message: isTrue ? 'In force on all 3 hosts with an agent.' : 'Hosts worker-0: expected to report.',
          lastTransitionTime: '2025-12-31T23:57:00Z',
        },
      ],
      rows: [
        {
          name: 'kube-dns',
          service: 'kube-system/kube-dns',
          stage: 'enforce',
          ports: ['tcp/53', 'udp/53'],
          endpoints: 2,
          hosts: 3,
          hostsInForce: 3,
        },
      ],
    },
  };
}

export interface ReportChanges {
  readonly generation?: number;
  readonly uid?: string;
  readonly guard?: GuardStanding;
  readonly problems?: HostReport['problems'];
  readonly peersNotReached?: readonly string[];
}

export function reportView(name: string, changes: ReportChanges = {}): ReportView {
  const { of, generation = 2 } = { of: 'kube-system/kube-dns', ...changes };
  const { version } = shard({ of, generation });
  return {
    host: hostName(name),
    writtenAt: NOW,
    report: {
      host: hostName(name),
      networkUid: 'network-1',
      loaded: [{ ...version, uid: changes.uid ?? version.uid }],
      problems: changes.problems ?? [],
      peersNotReached: (changes.peersNotReached ?? []).map(hostName),
      counters: { connections: 2, flows: 8, flowsInForce: 8, childSas: 4 },
      guard: {
        mode: 'enforce',
        state: changes.guard ?? 'enforce',
        rows: 4,
        holding: 4,
        repairs: 0,
        lastRepair: '',
      },
      charonVersion: '5.9.8',
    },
  };
}
