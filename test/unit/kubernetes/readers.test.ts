// What becomes of each kind of object: Kubernetes' own, Calico's and ours.
import { expect } from 'chai';
import { blockAffinityReader } from '../../../app/kubernetes/read-block-affinity.ts';
import { endpointSliceReader } from '../../../app/kubernetes/read-endpoint-slice.ts';
import { hostReader, networkReader, shardReader } from '../../../app/kubernetes/read-facts.ts';
import { ipPoolReader } from '../../../app/kubernetes/read-ip-pool.ts';
import { ipamBlockReader } from '../../../app/kubernetes/read-ipam-block.ts';
import { nodeReader } from '../../../app/kubernetes/read-node.ts';
import { policyReader } from '../../../app/kubernetes/read-policy.ts';
import { reportReader } from '../../../app/kubernetes/read-report.ts';
import { serviceReader } from '../../../app/kubernetes/read-service.ts';
import type { Reader } from '../../../app/kubernetes/schema.ts';
import {
  blockAffinityObject,
  endpointSliceObject,
  ipamBlockObject,
  ipPoolObject,
  nodeObject,
  nodeStatus,
  policyObject,
  serviceObject,
} from '../../support/kubernetes-objects.ts';

interface Case {
  readonly what: string;
  readonly object: object;
  /** The value, `ignored`, or a part of the reason why it cannot be read. */
  readonly value?: unknown;
  readonly ignored?: true;
  readonly unreadable?: string;
}

/** What the API server adds. */
function stored(object: object): object {
  const { metadata = {} } = object as { metadata?: object };
  return { ...object, metadata: { uid: 'uid-1', resourceVersion: '7', generation: 3, ...metadata } };
}

function table<T>(name: string, reader: () => Reader<T>, cases: readonly Case[]): void {
  describe(name, () => {
    for (const { what, object, ...expected } of cases)
      it(what, () => {
        const reading = reader()(stored(object));
        if (expected.unreadable === undefined)
          expect(reading).to.deep.equal(
            expected.ignored ? { kind: 'ignored' } : { kind: 'value', value: expected.value },
          );
        else if (reading.kind === 'unreadable') expect(reading.message).to.contain(expected.unreadable);
        else expect.fail(`it was read: ${JSON.stringify(reading)}`);
      });
  });
}

const dns = { namespace: 'kube-system', name: 'kube-dns' };
const slice = {
  ...dns,
  name: 'kube-dns-x',
  service: 'kube-dns',
  ports: [{ name: 'dns', protocol: 'UDP', port: 53 }],
};

table('policyReader', policyReader, [
  {
    what: 'gives the rows as they were written',
    object: policyObject('p', [{ serviceports: 'tcp/9402' }]),
    value: {
      policy: {
        ...{ name: 'p', uid: 'uid-1', generation: 3, createdAt: '' },
        rows: [
          {
            ...{ name: 'kube-dns', serviceName: 'kube-dns', serviceNamespace: 'kube-system' },
            servicePorts: 'tcp/9402',
          },
        ],
      },
      status: undefined,
    },
  },
  {
    what: 'refuses a policy without spec',
    object: { metadata: { name: 'p' } },
    unreadable: 'spec is missing',
  },
]);

table('serviceReader', serviceReader, [
  {
    what: 'gives cluster IPs of both families in order, and ports with their targets',
    object: serviceObject(
      'kube-system',
      'kube-dns',
      [
        { name: 'dns', protocol: 'UDP', port: 53, targetPort: 'dns-port' },
        { name: 'metrics', port: 666, targetPort: 6666 },
      ],
      { clusterIP: 'fd00::a', clusterIPs: ['fd00::a', '10.96.0.10'] },
    ),
    value: {
      ...dns,
      externalName: false,
      clusterIps: ['10.96.0.10', 'fd00::a'],
      ports: [
        { name: 'dns', protocol: 'udp', port: 53, targetPort: 'dns-port' },
        { name: 'metrics', protocol: 'tcp', port: 666, targetPort: 6666 },
      ],
    },
  },
  {
    what: 'gives no cluster IP for a headless service',
    object: serviceObject('a', 'b', [{ port: 1, targetPort: 0 }], {
      clusterIPs: ['None'],
      clusterIP: 'None',
    }),
    value: {
      ...{ namespace: 'a', name: 'b', externalName: false, clusterIps: [] },
      ports: [{ name: '', protocol: 'tcp', port: 1 }],
    },
  },
  {
    what: 'knows ExternalName',
    object: { metadata: { namespace: 'a', name: 'b' }, spec: { type: 'ExternalName', externalName: 'x.y' } },
    value: { namespace: 'a', name: 'b', externalName: true, clusterIps: [], ports: [] },
  },
  {
    what: 'refuses an address that is none',
    object: serviceObject('a', 'b', [], { clusterIPs: ['10.96.0.010'] }),
    unreadable: '"10.96.0.010" is not an IP address',
  },
]);

table('endpointSliceReader', endpointSliceReader, [
  {
    what: 'gives every endpoint, ready, not ready or terminating, sorted by address',
    object: endpointSliceObject({
      ...slice,
      endpoints: [
        { addresses: ['172.16.192.115'], nodeName: 'controller-0', ...{ conditions: { ready: false } } },
        { addresses: ['172.16.166.178'], ...{ conditions: { terminating: true } } },
      ],
    }),
    value: {
      ...{ namespace: 'kube-system', name: 'kube-dns-x', service: 'kube-dns' },
      ports: [{ name: 'dns', protocol: 'udp', port: 53 }],
      endpoints: [{ address: '172.16.166.178' }, { address: '172.16.192.115', nodeName: 'controller-0' }],
    },
  },
  {
    what: 'writes IPv6 addresses in their one form',
    object: endpointSliceObject({
      ...slice,
      addressType: 'IPv6',
      endpoints: [{ addresses: ['FD00:0:0::00A'] }],
    }),
    value: {
      ...{ namespace: 'kube-system', name: 'kube-dns-x', service: 'kube-dns' },
      ports: [{ name: 'dns', protocol: 'udp', port: 53 }],
      endpoints: [{ address: 'fd00::a' }],
    },
  },
  {
    what: 'takes null for what is empty',
    object: { ...endpointSliceObject({ ...slice, endpoints: [] }), endpoints: null, ports: null },
    value: {
      ...{ namespace: 'kube-system', name: 'kube-dns-x', service: 'kube-dns' },
      ports: [],
      endpoints: [],
    },
  },
  {
    what: 'ignores domain names',
    object: endpointSliceObject({ ...slice, addressType: 'FQDN', endpoints: [{ addresses: ['a.b'] }] }),
    ignored: true,
  },
  {
    what: 'ignores a slice of no service',
    object: { metadata: { namespace: 'a', name: 'b' }, addressType: 'IPv4', endpoints: [] },
    ignored: true,
  },
]);

table('nodeReader', nodeReader, [
  {
    what: 'gives internal addresses, readiness and the label',
    object: { ...nodeObject('worker-0'), ...nodeStatus(['fd00:206::66', '192.168.206.66']) },
    value: {
      ...{ name: 'worker-0', uid: 'uid-1', agent: true, ready: true },
      addresses: ['192.168.206.66', 'fd00:206::66'],
    },
  },
  {
    what: 'takes a Node that nobody has reported on',
    object: { metadata: { name: 'storage-0' } },
    value: { name: 'storage-0', uid: 'uid-1', agent: false, ready: false, addresses: [] },
  },
]);

table('ipamBlockReader', ipamBlockReader, [
  {
    what: 'gives the owner of a block',
    object: ipamBlockObject('172.16.192.64/26', 'controller-0', [{ ordinal: 3, node: 'controller-0' }]),
    value: { prefix: '172.16.192.64/26', host: 'controller-0', borrowed: [] },
  },
  {
    what: 'names each address that another host has borrowed',
    object: ipamBlockObject('172.16.192.64/26', 'controller-0', [
      { ordinal: 0, node: 'controller-0' },
      { ordinal: 51, node: 'worker-0' },
      { ordinal: 63, node: 'worker-0' },
    ]),
    value: {
      ...{ prefix: '172.16.192.64/26', host: 'controller-0' },
      borrowed: [
        { address: '172.16.192.115', host: 'worker-0' },
        { address: '172.16.192.127', host: 'worker-0' },
      ],
    },
  },
  {
    what: 'counts in IPv6 blocks too',
    object: ipamBlockObject('fd00:16::ffc0/122', 'controller-0', [{ ordinal: 63, node: 'worker-0' }]),
    value: {
      ...{ prefix: 'fd00:16::ffc0/122', host: 'controller-0' },
      borrowed: [{ address: 'fd00:16::ffff', host: 'worker-0' }],
    },
  },
  {
    what: "takes all allocations of nobody's block as borrowed",
    object: ipamBlockObject('10.0.0.0/26', undefined, [{ ordinal: 1, node: 'worker-0' }]),
    value: { prefix: '10.0.0.0/26', borrowed: [{ address: '10.0.0.1', host: 'worker-0' }] },
  },
  {
    what: 'passes over allocations without a node',
    object: {
      metadata: { name: 'b' },
      spec: {
        ...{ cidr: '10.0.0.0/30', affinity: 'virtual:load-balancer', allocations: [0, 5, null, 1] },
        attributes: [{ handle_id: 'reserved', secondary: { note: 'x' } }, { handle_id: 'y' }],
      },
    },
    value: { prefix: '10.0.0.0/30', borrowed: [] },
  },
  {
    what: 'ignores a block that is being deleted',
    object: {
      metadata: { name: 'b' },
      spec: { cidr: '10.0.0.0/30', deleted: true, allocations: [], attributes: [] },
    },
    ignored: true,
  },
  {
    what: 'refuses host bits',
    object: ipamBlockObject('10.0.0.1/26', 'worker-0'),
    unreadable: 'is not a prefix with zero host bits',
  },
]);

table('blockAffinityReader', blockAffinityReader, [
  {
    what: 'gives a confirmed claim',
    object: blockAffinityObject('172.16.43.0/26', 'worker-0'),
    value: { prefix: '172.16.43.0/26', host: 'worker-0' },
  },
  ...['pending', 'pendingDeletion'].map((state) => ({
    what: `ignores one that is ${state}`,
    object: blockAffinityObject('172.16.43.0/26', 'worker-0', state),
    ignored: true as const,
  })),
  {
    what: 'ignores a deleted one',
    object: {
      metadata: { name: 'a' },
      spec: { cidr: '10.0.0.0/26', node: 'w', state: 'confirmed', deleted: 'true' },
    },
    ignored: true,
  },
  {
    what: "ignores one that is no host's",
    object: {
      metadata: { name: 'a' },
      spec: { cidr: '10.0.0.0/26', node: 'w', state: 'confirmed', deleted: 'false', type: 'virtual' },
    },
    ignored: true,
  },
]);

table('ipPoolReader', ipPoolReader, [
  { what: 'gives its prefix', object: ipPoolObject('p', '172.16.0.0/16'), value: '172.16.0.0/16' },
  {
    what: 'counts a disabled pool',
    object: { metadata: { name: 'p' }, spec: { cidr: 'fd00::/64', disabled: true } },
    value: 'fd00::/64',
  },
  {
    what: 'ignores one for load balancers',
    object: { metadata: { name: 'p' }, spec: { cidr: '10.0.0.0/24', allowedUses: ['LoadBalancer'] } },
    ignored: true,
  },
]);

const network = {
  pools: ['172.16.0.0/16'],
  guardMode: 'enforce',
  parameters: {
    ...{ ikeProposal: 'aes128-sha256-modp3072', espProposal: 'aes128gcm16', ikeReauthSeconds: 14400 },
    ...{ ikeRekeySeconds: 3600, childRekeySeconds: 3600, dpdSeconds: 10 },
  },
};
const withParameter = (change: object): object => ({
  metadata: { name: 'cluster' },
  spec: { ...network, parameters: { ...network.parameters, ...change } },
});

table('networkReader', networkReader, [
  {
    what: 'gives what all hosts agree on',
    object: { metadata: { name: 'cluster' }, spec: network },
    value: { uid: 'uid-1', ...network },
  },
  { what: 'ignores another name', object: { metadata: { name: 'x' }, spec: network }, ignored: true },
  {
    what: 'refuses a proposal with a line end',
    object: withParameter({ espProposal: 'a\nb' }),
    unreadable: 'espProposal',
  },
  { what: 'refuses a CA with a brace', object: withParameter({ caId: 'CN=a } x {' }), unreadable: 'caId' },
  {
    what: 'refuses what it does not know',
    object: withParameter({ updown: '/bin/sh' }),
    unreadable: 'spec.parameters.updown is no field that is known here',
  },
]);

table('hostReader', hostReader, [
  {
    what: 'gives addresses and prefixes',
    object: { metadata: { name: 'a.b' }, spec: { addresses: ['FD00::1'], prefixes: ['10.0.0.0/26'] } },
    value: { name: 'a.b', addresses: ['fd00::1'], prefixes: ['10.0.0.0/26'] },
  },
]);

const shard = {
  ...{ namespace: 'kube-system', service: 'kube-dns', index: 0, clusterIPs: [], servicePorts: [] },
  stages: [{ port: 'udp/53', stage: 'enforce' }],
  endpoints: [{ address: '10.0.0.1', host: 'worker-0', ports: ['udp/53'], state: 'active' }],
};
const shardObject = (change: object): object => ({
  metadata: { name: 'kube-system.kube-dns.0' },
  spec: { ...shard, ...change },
});

table('shardReader', shardReader, [
  {
    what: 'gives the shard with its version',
    object: shardObject({}),
    value: {
      version: { name: 'kube-system.kube-dns.0', uid: 'uid-1', generation: 3 },
      ...{ namespace: 'kube-system', service: 'kube-dns', index: 0, clusterIps: [], servicePorts: [] },
      stages: [{ protocol: 'udp', port: 53, stage: 'enforce' }],
      endpoints: [
        {
          ...{ address: '10.0.0.1', host: 'worker-0', state: 'active' },
          ports: [{ protocol: 'udp', port: 53 }],
        },
      ],
    },
  },
  { what: 'refuses the name of another shard', object: shardObject({ index: 1 }), unreadable: 'kube-dns.1' },
  {
    what: 'refuses an unknown stage',
    object: shardObject({ stages: [{ port: 'udp/53', stage: 'x' }] }),
    unreadable: 'stage',
  },
  { what: 'refuses a service with a brace', object: shardObject({ service: 'a{' }), unreadable: 'service' },
  { what: 'refuses a port of 0', object: shardObject({ servicePorts: ['tcp/0'] }), unreadable: '"tcp/0"' },
]);

table('reportReader', reportReader, [
  {
    what: 'gives the host alone before its agent has spoken',
    object: { metadata: { name: 'worker-0' } },
    value: { host: 'worker-0' },
  },
  {
    what: 'refuses half a status',
    object: { metadata: { name: 'worker-0' }, status: { networkUid: 'x' } },
    unreadable: 'status.loaded is missing',
  },
]);
