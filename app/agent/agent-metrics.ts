// What the agent says to Prometheus, beside what its report says to the manager.
import { Counter, Gauge, type Registry } from 'prom-client';
import type { HostReport } from '../domain/facts.ts';
import { DROP_COUNTERS } from '../guard/chains.ts';
import type { GuardWatcher } from './guard-keeper.ts';

export interface AgentMetrics extends GuardWatcher {
  onReport(report: HostReport): void;
}

export function agentMetrics(registry: Registry): AgentMetrics {
  const registers = [registry];
  const flowsNotInForce = new Gauge({
    name: 'ipsec_policy_flows_not_in_force',
    help: 'Protected flows of this host that charon does not have as it should; 0 when all is well',
    registers,
  });
  // A gauge: the kernel counts, and begins anew with each table.
  const dropped = new Gauge({
    name: 'ipsec_policy_guard_dropped_packets',
    help: 'Packets that the guard has held because they had no tunnel, by where it saw them; in mode observe those it would have held. Absent while it cannot be read',
    labelNames: ['reason'],
    registers,
  });
  const repairs = new Counter({
    name: 'ipsec_policy_guard_repairs_total',
    help: 'How often somebody else removed or changed the guard and the agent put it back',
    registers,
  });
  return {
    onReport: ({ counters }) => flowsNotInForce.set(counters.flows - counters.flowsInForce),
    onDrops: (drops) => {
      for (const reason of DROP_COUNTERS) {
        const packets = drops?.[reason];
        if (packets === undefined) dropped.remove({ reason });
        else dropped.set({ reason }, packets);
      }
    },
    onRepair: () => repairs.inc(),
  };
}
