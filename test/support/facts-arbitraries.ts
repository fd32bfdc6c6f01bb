// Arbitrary facts for property tests: drawn from a small world, so that prefixes nest, addresses are borrowed and services meet,
// and without any care for consistency: what holds for plans must hold for contradictory facts too.
import fc from 'fast-check';
import type { EndpointFact, Facts, HostFact, PortStage, ShardFact, Stage } from '../../app/domain/facts.ts';
import { formatPort } from '../../app/domain/ports.ts';
import { address, facts, hostName, network, port, prefix, shard } from './facts-builders.ts';

const HOSTS = [
  'controller-0',
  'controller-1',
  'worker-0',
  'edge_1',
  'host.example',
  'worker-0-ipv6',
  'local',
];
const SUPPORTED = HOSTS.slice(0, 4).map(hostName);
const PREFIXES = [
  ...['172.16.0.0/26', '172.16.0.64/26', '172.16.1.0/26', '172.16.1.64/26', '172.16.2.0/26', '172.16.0.0/24'],
  ...['172.16.0.5/32', '172.16.1.7/32', '172.16.2.9/32', '172.16.1.70/32'],
  ...['fd00::/122', 'fd00::40/122', 'fd00::1:0/122', 'fd00::1:5/128', 'fd00::7/128'],
].map(prefix);
const ENDPOINTS = [
  ...['172.16.0.5', '172.16.0.66', '172.16.1.7', '172.16.1.9', '172.16.2.9', '172.16.2.10'],
  ...['fd00::7', 'fd00::41', 'fd00::1:5', 'fd00::1:6'],
].map(address);
const HOST_ADDRESSES = ['192.168.206.2', '192.168.206.3', '192.168.206.66', 'fd01::2', 'fd01::3'].map(
  address,
);
const PORTS = ['tcp/53', 'udp/53', 'tcp/7946', 'udp/7946'].map(port);
const SERVICES = ['default/dns', 'kube-system/dns', 'default/gossip', 'a/system-nodes'];

/** Hosts by name, most of them with a name that can be part of a connection's. */
const someHost = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...SUPPORTED) },
  fc.constantFrom(...HOSTS.map(hostName)),
);

const someHostFact: fc.Arbitrary<HostFact> = fc.record({
  name: someHost,
  addresses: fc.subarray(HOST_ADDRESSES),
  prefixes: fc.subarray(PREFIXES),
});

const someEndpoint: fc.Arbitrary<EndpointFact> = fc.record({
  address: fc.constantFrom(...ENDPOINTS),
  host: someHost,
  ports: fc.subarray(PORTS, { minLength: 1 }),
  state: fc.constantFrom('pending', 'active', 'active', 'leaving'),
});

const someStage = fc.constantFrom<Stage[]>('prepare', 'protect', 'enforce', 'enforce', 'release', 'gone');

const someStages: fc.Arbitrary<PortStage[]> = fc.uniqueArray(
  fc
    .record({ port: fc.constantFrom(...PORTS), stage: someStage })
    .map(({ port, stage }) => ({ ...port, stage })),
  { minLength: 1, selector: formatPort },
);

const someShards: fc.Arbitrary<ShardFact[]> = fc
  .record({
    service: fc.constantFrom(...SERVICES),
    stages: someStages,
    first: fc.array(someEndpoint, { maxLength: 4 }),
    second: fc.array(someEndpoint, { maxLength: 2 }),
  })
  .map(({ service, stages, first, second }) => [
    {
      ...shard({ of: service, endpoints: first, clusterIps: ['10.96.0.10'], servicePorts: 'tcp/53 udp/53' }),
      stages,
    },
    ...(second.length === 0 ? [] : [shard({ of: service, index: 1, endpoints: second })]),
  ]);

/** Up to four hosts and four services. */
export const someFacts: fc.Arbitrary<Facts> = fc
  .record({
    hosts: fc.uniqueArray(someHostFact, { minLength: 1, maxLength: 4, selector: (fact) => fact.name }),
    shards: fc.uniqueArray(someShards, { maxLength: 4, selector: ([shard0]) => shard0?.version.name }),
  })
  .map(({ hosts, shards }) => facts({ hosts, shards: shards.flat(), network: network() }));

/** The same facts with every list of them in another order. */
export function shuffled<T>(value: T, seed: number): T {
  const random = generator(seed);
  const shuffle = (item: unknown): unknown => {
    if (Array.isArray(item)) return permuted(item.map(shuffle), random);
    if (typeof item !== 'object' || item === null) return item;
    return Object.fromEntries(Object.entries(item).map(([key, inner]) => [key, shuffle(inner)]));
  };
  return shuffle(value) as T;
}

function permuted(list: readonly unknown[], random: () => number): unknown[] {
  return list
    .map((item) => ({ item, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

/** A linear congruential generator (Numerical Recipes): enough to shuffle, the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
}
