// Rows of the matrix about ways of a packet that IPsec alone does not cover: cluster IPs, masquerading, errors, fragments, sizes.
import { serveFlows, type FlowSpec } from '../lab/flow.ts';
import { HOST_NAMES, HOSTS } from '../lab/topology.ts';
import { flowTo, policyRow, PORTS, SERVERS } from './ground.ts';
import { pause } from './row.ts';
import { matrixSuite } from './suite.ts';

const POLICY = 'matrix';
const NODE_PORT = 30601;
const CLUSTER_IP = '10.96.77.77';
const CLOSED_PORT = 6004;
const BIG_PORT = 6005;

const main = flowTo('first', 'worker-0');
const byClusterIp: FlowSpec = { ...main, address: CLUSTER_IP };
const bigMessages: FlowSpec = { ...main, sizeBytes: 3000, rate: 100 };
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
        spec: { type: 'NodePort', clusterIP: CLUSTER_IP },
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
