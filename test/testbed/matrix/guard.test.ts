// Rows of the matrix about ways of a packet that IPsec alone does not cover: cluster IPs, masquerading, errors, fragments, sizes.
import { expect } from 'chai';
import { until } from '../../support/until.ts';
import { serveFlows, type FlowSpec } from '../lab/flow.ts';
import { HOST_NAMES, HOSTS, type LabHost } from '../lab/topology.ts';
import { CONTROL_PORT, flowTo, policyRow, PORTS, SERVERS, type Ground } from './ground.ts';
import { pause, type RowReport } from './row.ts';
import { matrixSuite } from './suite.ts';

const POLICY = 'matrix';
const NODE_PORT = 30601;
const CLUSTER_IP = '10.96.77.77';
const CLOSED_PORT = 6004;
const BIG_PORT = 6005;
const LOAD_BALANCER = '198.51.100.7';
const METRICS = 'http://127.0.0.1:9822/metrics';

const main = flowTo('first', 'worker-0');
const byClusterIp: FlowSpec = { ...main, address: CLUSTER_IP };
const bigMessages: FlowSpec = { ...main, sizeBytes: 3000, rate: 100 };
/** It fits into the link, and not into ESP on it. */
const tooBig: FlowSpec = { ...main, sizeBytes: 1460, dontFragment: true };
const tcp = {
  ...flowTo('first', 'worker-0', { protocol: 'tcp', port: BIG_PORT }),
  sizeBytes: 8000,
  rate: 50,
};

matrixSuite(
  {
    name: 'ways of a packet',
    kubeProxy: true,
    setUp: async ({ lab, op }) => {
      const { pod, addresses } = SERVERS.first;
      await lab.addService({
        name: 'ways',
        selector: { app: 'first' },
        ports: [
          { port: PORTS.main, protocol: 'UDP', nodePort: NODE_PORT },
          { port: CLOSED_PORT, protocol: 'UDP' },
          { port: BIG_PORT, protocol: 'TCP' },
        ],
        spec: { type: 'LoadBalancer', clusterIP: CLUSTER_IP },
      });
      await lab.api.patchStatus({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { namespace: 'default', name: 'ways' },
        status: { loadBalancer: { ingress: [{ ip: LOAD_BALANCER }] } },
      });
      await serveFlows(lab, pod, { protocol: 'tcp', address: addresses[4], port: BIG_PORT, sizeBytes: 8000 });
      await op.applyPolicy(POLICY, [policyRow('ways', 'udp/6001,udp/6004,tcp/6005')]);
      await op.untilProgrammed(POLICY);
      await lab.kubeProxies?.ready(CLUSTER_IP, PORTS.main);
    },
  },
  (row) => {
    row('by cluster IP, and directly', { flows: [byClusterIp, main], lost: 0 }, async (at) => {
      at.mark();
      await pause(2000);
    });

    row(
      'masqueraded through a NodePort of the own host: held',
      {
        flows: [{ ...main, address: HOSTS['worker-0'].cluster, port: NODE_PORT }],
        up: false,
        isHeld: true,
        quick: true,
      },
      async (at) => {
        at.mark();
        await pause(2000);
      },
    );

    row(
      'masqueraded through a load balancer address: held',
      {
        flows: [{ ...main, address: LOAD_BALANCER }],
        up: false,
        isHeld: true,
        also: (_report, { lab }) => expectReported(lab, 'worker-0', 'masqueraded'),
      },
      async (at) => {
        at.mark();
        await pause(2000);
      },
    );

    row(
      'through a NodePort of another host: only its first leg, to that host, is plain; held there',
      {
        flows: (['controller-0', 'controller-1'] as const).map((host) => ({
          ...main,
          address: HOSTS[host].cluster,
          port: NODE_PORT,
        })),
        up: false,
        isHeld: true,
        mayBePlain: true,
        also: async (report, { lab }) => {
          expectFirstLegsOnly(report);
          await expectReported(lab, 'controller-0', 'ingress');
          await expectReported(lab, 'controller-1', 'ingress');
        },
      },
      async (at) => {
        at.mark();
        await pause(2000);
      },
    );

    row(
      'ICMP errors about protected packets (port unreachable)',
      { flows: [{ ...main, port: CLOSED_PORT }], up: false, isHeld: true, quick: true },
      async (at) => {
        at.mark();
        await pause(2000);
      },
    );

    row('fragmented UDP of a protected flow', { flows: [bigMessages], lost: 0, quick: true }, async (at) => {
      at.mark();
      await pause(2000);
    });

    row(
      'UDP above the path MTU with DF: the sender is told',
      { flows: [tooBig], up: false, isHeld: true, error: '[Errno 90] Message too long' },
      async (at) => {
        at.mark();
        await pause(2000);
      },
    );

    row('large TCP with ICMP filtered on the hosts', { flows: [tcp] }, async (at, { lab }) => {
      for (const host of HOST_NAMES)
        await lab.run(host, ['iptables-legacy', '-I', 'INPUT', '-p', 'icmp', '-j', 'DROP']);
      at.mark();
      await at.untilSteady();
      await pause(2000);
      for (const host of HOST_NAMES)
        await lab.run(host, ['iptables-legacy', '-D', 'INPUT', '-p', 'icmp', '-j', 'DROP']);
    });
  },
);

/** What the guard has held is a metric of the host that held it, from the agent's next look on. */
async function expectReported(lab: Ground['lab'], host: LabHost, reason: string): Promise<void> {
  const line = new RegExp(`^ipsec_policy_guard_dropped_packets\\{reason="${reason}"\\} [1-9]`, 'm');
  await until(
    `${host} says that it has held packets: ${reason}`,
    async () => line.test(await lab.run(host, ['curl', '-sf', METRICS])),
    60_000,
  );
}

/** Pods to the addresses of hosts: no policy names them, so they cross the wire as they are. */
function expectFirstLegsOnly({ wire }: RowReport): void {
  const addresses = HOST_NAMES.map((name) => HOSTS[name].cluster);
  const others = wire.plaintext.filter(
    ({ destination, destinationPort, sourcePort }) =>
      !(addresses.includes(destination) && destinationPort === NODE_PORT) &&
      destinationPort !== CONTROL_PORT &&
      sourcePort !== CONTROL_PORT,
  );
  expect(others, 'in plaintext beside first legs').to.deep.equal([]);
}
