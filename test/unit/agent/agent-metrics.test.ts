import { expect } from 'chai';
import { Registry } from 'prom-client';
import { NO_GUARD } from '../../../app/domain/facts.ts';
import { agentMetrics, type AgentMetrics } from '../../../app/agent/agent-metrics.ts';
import { helplessReport } from '../../../app/agent/report.ts';
import { CONTROLLER_0 } from '../../support/facts-builders.ts';

describe('agentMetrics', () => {
  let registry: Registry;
  let metrics: AgentMetrics;
  const shown = async (name: string): Promise<string[]> =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith(name));

  beforeEach(() => {
    registry = new Registry();
    metrics = agentMetrics(registry, CONTROLLER_0);
  });

  it('shows what the guard dropped, by reason, as it was read last', async () => {
    metrics.onCounters({
      drops: { ingress: 1, egress: 2, cluster_ip: 3, masqueraded: 4, icmp_errors: 5 },
      held: new Map(),
    });
    metrics.onCounters({ drops: { ingress: 0, egress: 7, cluster_ip: 3, masqueraded: 4 }, held: new Map() });
    expect(await shown('ipsec_policy_guard_dropped_packets')).to.have.members([
      'ipsec_policy_guard_dropped_packets{reason="ingress"} 0',
      'ipsec_policy_guard_dropped_packets{reason="egress"} 7',
      'ipsec_policy_guard_dropped_packets{reason="cluster_ip"} 3',
      'ipsec_policy_guard_dropped_packets{reason="masqueraded"} 4',
    ]);
  });

  it('shows nothing, not 0, before it was read and while it cannot be', async () => {
    expect(await shown('ipsec_policy_guard_dropped_packets')).to.deep.equal([]);
    metrics.onCounters({ drops: { ingress: 1 }, held: new Map() });
    metrics.onCounters(undefined);
    expect(await shown('ipsec_policy_guard_dropped_packets')).to.deep.equal([]);
  });

  it('counts repairs', async () => {
    expect(await shown('ipsec_policy_guard_repairs_total')).to.deep.equal([
      'ipsec_policy_guard_repairs_total 0',
    ]);
    metrics.onRepair();
    metrics.onRepair();
    expect(await shown('ipsec_policy_guard_repairs_total')).to.deep.equal([
      'ipsec_policy_guard_repairs_total 2',
    ]);
  });

  it('shows how many flows are not in force', async () => {
    const report = helplessReport({
      host: CONTROLLER_0,
      networkUid: 'network-1',
      problems: [],
      guard: NO_GUARD,
      last: undefined,
    });
    metrics.onReport({ ...report, counters: { ...report.counters, flows: 9, flowsInForce: 7 } });
    expect(await shown('ipsec_policy_flows_not_in_force')).to.deep.equal([
      'ipsec_policy_flows_not_in_force 2',
    ]);
  });
});
