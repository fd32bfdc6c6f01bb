// Flows, SAs and traffic of each service, for Prometheus. A service that is not protected any more goes with its series.
import { Counter, Gauge, type Registry } from 'prom-client';
import type { ServiceFlows } from './report.ts';
import type { Traffic, TunnelTraffic } from './tunnel-traffic.ts';

export type OnFlows = (flows: ReadonlyMap<string, ServiceFlows> | undefined) => void;

export function tunnelMetrics(registry: Registry, traffic: TunnelTraffic): OnFlows {
  const registers = [registry];
  const labelNames = ['service'] as const;
  const wanted = new Gauge({
    name: 'ipsec_policy_flows',
    help: 'Flows of this host that are to be protected: a prefix of pods, an endpoint, a port',
    labelNames,
    registers,
  });
  const inForce = new Gauge({
    name: 'ipsec_policy_flows_in_force',
    help: 'Those of them that were read back from charon as they should be',
    labelNames,
    registers,
  });
  let isReadable = false;
  const ikeSas: Gauge = new Gauge({
    name: 'ipsec_policy_ike_sas',
    help: 'Established IKE_SAs of ours',
    registers,
    collect: () => {
      if (isReadable) ikeSas.set(traffic.ikeSas());
      else ikeSas.remove();
    },
  });
  const childSas = new Gauge({
    name: 'ipsec_policy_child_sas',
    help: 'Installed CHILD_SAs of a service: tunnels with traffic, now or a while ago',
    labelNames,
    registers,
    collect: () => {
      childSas.reset();
      if (isReadable) for (const [service, count] of traffic.childSas()) childSas.set({ service }, count);
    },
  });
  const counter = (name: string, help: string, pick: (of: Traffic, way: 'in' | 'out') => number): void => {
    const shown = new Counter({
      name,
      help,
      labelNames: ['service', 'direction'],
      registers,
      collect: () => {
        shown.reset();
        if (!isReadable) return;
        for (const [service, of] of traffic.totals())
          for (const direction of ['in', 'out'] as const)
            shown.inc({ service, direction }, pick(of, direction));
      },
    });
  };
  counter(
    'ipsec_policy_tunnel_bytes_total',
    'Bytes that came out of tunnels (in) and went into them (out), since the agent was started',
    (of, way) => (way === 'in' ? of.bytesIn : of.bytesOut),
  );
  counter('ipsec_policy_tunnel_packets_total', 'The same in packets', (of, way) =>
    way === 'in' ? of.packetsIn : of.packetsOut,
  );
  return (flows) => {
    isReadable = flows !== undefined;
    inForce.reset();
    if (flows === undefined) return;
    wanted.reset();
    for (const [service, of] of flows) {
      wanted.set({ service }, of.wanted);
      inForce.set({ service }, of.inForce);
    }
    traffic.keep(new Set(flows.keys()));
  };
}
