// What the agent says to Prometheus, beside what its report says to the manager. Sums are kept by tunnel-traffic.ts and
// held-packets.ts and shown when somebody asks; what cannot be read is absent, never 0.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Facts, HostName, HostReport } from '../domain/facts.ts';
import { problemsOf } from '../domain/programmed.ts';
import { DROP_COUNTERS } from '../guard/chains.ts';
import type { CommandOutcome } from '../vici/charon.ts';
import type { GuardWatcher } from './guard-keeper.ts';
import { heldPackets } from './held-packets.ts';
import type { ServiceFlows } from './report.ts';
import { tunnelTraffic, type TunnelTraffic } from './tunnel-traffic.ts';
import { tunnelMetrics } from './tunnel-metrics.ts';

export interface AgentMetrics extends GuardWatcher {
  readonly traffic: TunnelTraffic;
  readonly onReport: (report: HostReport) => void;
  /** Undefined while charon cannot be read. */
  readonly onFlows: (flows: ReadonlyMap<string, ServiceFlows> | undefined) => void;
  readonly onFacts: (facts: Facts | undefined) => void;
  readonly onHandshakeFailed: (peer: HostName) => void;
  readonly onRekey: (kind: 'ike' | 'child') => void;
  readonly onCommand: (command: string, outcome: CommandOutcome) => void;
  readonly onConnected: (isAgain: boolean) => void;
  readonly onLost: () => void;
  /** From the first change that was not in force yet to all of it being so. */
  readonly onInForce: (durationMs: number) => void;
  readonly onUnknownHost: (isUnknown: boolean) => void;
}

const CHANGE_SECONDS = [0.1, 0.3, 1, 3, 10, 30, 100, 300];

export function agentMetrics(registry: Registry, self: HostName): AgentMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
  const flowsNotInForce = gauge(
    'ipsec_policy_flows_not_in_force',
    'Protected flows of this host that charon does not have as it should; 0 when all is well. Look here first',
  );
  const guardNotInPlace = gauge(
    'ipsec_policy_guard_not_in_place',
    '1 while the guard should hold and was not read back as it should be; 0 when all is well, also in modes observe and off',
  );
  const problems = gauge(
    'ipsec_policy_problems',
    'Problems that this host reports, peers that are not reached among them; 0 when all is well',
  );
  const unknownHost = gauge(
    'ipsec_policy_host_unknown',
    '1 while no IPsecHost has the name of this host (is NODE_NAME right?); 0 when all is well',
  );
  const connected = gauge('ipsec_policy_charon_connected', '1 while charon is connected to');
  connected.set(0);
  unknownHost.set(0);
  const reconnects = new Counter({
    name: 'ipsec_policy_charon_reconnects_total',
    help: 'How often charon was met again after its connection was lost',
    registers,
  });
  const repairs = new Counter({
    name: 'ipsec_policy_guard_repairs_total',
    help: 'How often somebody else removed or changed the guard and the agent put it back',
    registers,
  });
  const changes = new Histogram({
    name: 'ipsec_policy_change_in_force_seconds',
    help: 'From a change of facts to all flows of this host being in force as it asks for',
    buckets: CHANGE_SECONDS,
    registers,
  });
  const rekeys = new Counter({
    name: 'ipsec_policy_rekeys_total',
    help: 'SAs of ours that were replaced by new ones: ike, child',
    labelNames: ['kind'],
    registers,
  });
  for (const kind of ['ike', 'child']) rekeys.inc({ kind }, 0);
  const handshakes = new Counter({
    name: 'ipsec_policy_failed_handshakes_total',
    help: 'How often a tunnel to a peer was asked for in vain',
    labelNames: ['peer'],
    registers,
  });
  const commands = new Counter({
    name: 'ipsec_policy_vici_commands_total',
    help: 'Commands sent to charon, by what became of them: done, refused, lost',
    labelNames: ['command', 'outcome'],
    registers,
  });
  const traffic = tunnelTraffic();
  const onFlows = tunnelMetrics(registry, traffic);
  const held = guardMetrics(registry, self);
  return {
    traffic,
    onFlows,
    onReport: (report) => {
      const { counters, guard } = report;
      flowsNotInForce.set(counters.flows - counters.flowsInForce);
      problems.set(problemsOf(report).length);
      const isWell = guard.mode !== 'enforce' || guard.state === 'enforce' || guard.state === 'none';
      guardNotInPlace.set(isWell ? 0 : 1);
    },
    onCounters: held.onCounters,
    onFacts: held.onFacts,
    onRepair: () => repairs.inc(),
    onHandshakeFailed: (peer) => handshakes.inc({ peer }),
    onRekey: (kind) => rekeys.inc({ kind }),
    onCommand: (command, outcome) => commands.inc({ command, outcome }),
    onConnected: (isAgain) => {
      connected.set(1);
      if (isAgain) reconnects.inc();
    },
    onLost: () => connected.set(0),
    onInForce: (durationMs) => changes.observe(durationMs / 1000),
    onUnknownHost: (isUnknown) => unknownHost.set(isUnknown ? 1 : 0),
  };
}

type GuardMetrics = Pick<AgentMetrics, 'onCounters' | 'onFacts'>;

function guardMetrics(registry: Registry, self: HostName): GuardMetrics {
  const registers = [registry];
  // A gauge: the kernel counts, and begins anew with each table.
  const dropped = new Gauge({
    name: 'ipsec_policy_guard_dropped_packets',
    help: 'Packets that the guard has held because they had no tunnel, by where it saw them, since its table was made; in mode observe those it would have held',
    labelNames: ['reason'],
    registers,
  });
  const sums = heldPackets();
  let facts: Facts | undefined;
  const held = new Counter({
    name: 'ipsec_policy_guard_held_packets_total',
    help: 'The same by service and direction, since the agent was started: egress is from pods here, ingress to endpoints here',
    labelNames: ['service', 'direction'],
    registers,
    collect: () => {
      held.reset();
      for (const { packets, ...labels } of sums.totals(facts, self) ?? []) held.inc(labels, packets);
    },
  });
  return {
    onFacts: (known) => {
      facts = known;
    },
    onCounters: (counters) => {
      sums.seen(counters?.held);
      for (const reason of DROP_COUNTERS) {
        const packets = counters?.drops[reason];
        if (packets === undefined) dropped.remove({ reason });
        else dropped.set({ reason }, packets);
      }
    },
  };
}
