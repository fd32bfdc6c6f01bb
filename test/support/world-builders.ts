// Worlds in a few words: three StarlingX hosts as in the user's description, one Calico block each, and services on them.
// Every builder takes only what a test is about; the rest is the ordinary case.
import { expect } from 'chai';
import type { HostName, HostReport, ShardFact, ShardSpec } from '../../app/domain/facts.ts';
import { NO_GUARD, shardName } from '../../app/domain/facts.ts';
import { parseAddress, parsePrefix, type Address, type Prefix } from '../../app/domain/ip.ts';
import { parsePort, type Port } from '../../app/domain/ports.ts';
import type {
  EndpointSlice,
  IpamBlock,
  Node,
  Policy,
  PolicyRow,
  RollOutState,
  Service,
  ServicePort,
  World,
} from '../../app/domain/world.ts';

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`${text} is no prefix`);
  return parsed;
}

/** `tcp/53`. */
export function port(text: string): Port {
  const parsed = parsePort(text);
  if (parsed === undefined) throw new Error(`${text} is no port`);
  return parsed;
}

export function host(name: string): HostName {
  return name as HostName;
}

export function node(name: string, change: Partial<Omit<Node, 'name'>> = {}): Node {
  return { name: host(name), uid: `uid-${name}`, addresses: [], agent: true, ready: true, ...change };
}

export function block(
  text: string,
  owner?: string,
  borrowed: Readonly<Record<string, string>> = {},
): IpamBlock {
  const lent = Object.entries(borrowed).map(([text, name]) => ({ address: address(text), host: host(name) }));
  return { prefix: prefix(text), borrowed: lent, ...(owner === undefined ? {} : { host: host(owner) }) };
}

/** `service('kube-system/kube-dns', 'dns udp/53', 'http tcp/80>8080', 'metrics tcp/90>metrics')`: name, port, target. */
export function service(key: string, ...ports: readonly string[]): Service {
  const [namespace = '', name = ''] = key.split('/');
  return {
    namespace,
    name,
    externalName: false,
    clusterIps: [address('10.96.0.10')],
    ports: ports.map(servicePort),
  };
}

function servicePort(text: string): ServicePort {
  const [name = '', numbers = ''] = text.split(' ');
  const [own = '', target] = numbers.split('>');
  if (target === undefined) return { name, ...port(own) };
  return { name, ...port(own), targetPort: /^\d+$/.test(target) ? Number(target) : target };
}

/** `slice('ns/name', ['dns udp/53'], ['172.16.0.1', '172.16.1.1@worker-0'])`; an endpoint may name a node. */
export function slice(key: string, ports: readonly string[], endpoints: readonly string[]): EndpointSlice {
  const [namespace = '', name = ''] = key.split('/');
  return {
    namespace,
    name: `${name}-${ports.join('-')}-${endpoints[0] ?? 'empty'}`,
    service: name,
    ports: ports.map(servicePort),
    endpoints: endpoints.map((text) => {
      const [where = '', nodeName] = text.split('@');
      return { address: address(where), ...(nodeName === undefined ? {} : { nodeName }) };
    }),
  };
}

/** `policy('dns', ['kube-system/kube-dns', 'udp/53,tcp/53'])`: a row for each pair; its name is the service's. */
export function policy(name: string, ...rows: readonly (readonly [key: string, ports: string])[]): Policy {
  return { name, uid: `uid-${name}`, generation: 1, createdAt: '2026-01-01T00:00:00Z', rows: rows.map(row) };
}

function row([key, servicePorts]: readonly [string, string]): PolicyRow {
  const [serviceNamespace = '', serviceName = ''] = key.split('/');
  return { name: serviceName, serviceNamespace, serviceName, servicePorts };
}

export const CONTROLLER_0 = host('controller-0');
export const CONTROLLER_1 = host('controller-1');
export const WORKER_0 = host('worker-0');

/** Three hosts with a block each, and nothing on them. */
export function world(change: Partial<World> = {}): World {
  return {
    policies: [],
    services: [],
    slices: [],
    nodes: [
      node('controller-0', { addresses: [address('192.168.206.2')] }),
      node('controller-1', { addresses: [address('192.168.206.3')] }),
      node('worker-0', { addresses: [address('192.168.206.66')] }),
    ],
    blocks: [
      block('172.16.192.64/26', 'controller-0'),
      block('172.16.166.128/26', 'controller-1'),
      block('172.16.43.0/26', 'worker-0'),
    ],
    affinities: [],
    pools: [prefix('172.16.0.0/16')],
    ...change,
  };
}

/** One service `ns/svc` on tcp/53 with the given endpoints, and a policy for it. */
export function oneServiceWorld(endpoints: readonly string[], change: Partial<World> = {}): World {
  return world({
    policies: [policy('p', ['ns/svc', 'tcp/53'])],
    services: [service('ns/svc', 'dns tcp/53')],
    slices: [slice('ns/svc', ['dns tcp/53'], endpoints)],
    ...change,
  });
}

/** A shard as it stands in the API. */
export function stand(spec: ShardSpec, generation = 1, uid = `uid-${shardName(spec)}`): ShardFact {
  return { ...spec, version: { name: shardName(spec), uid, generation } };
}

/** What a host says when it has loaded these shards. */
export function report(name: HostName, shards: readonly ShardFact[]): HostReport {
  return {
    host: name,
    networkUid: 'uid-network',
    loaded: shards.map((shard) => shard.version),
    problems: [],
    peersNotReached: [],
    counters: { connections: 0, flows: 0, flowsInForce: 0, childSas: 0 },
    guard: { ...NO_GUARD, mode: 'enforce', state: 'none' },
    charonVersion: '5.9.8',
  };
}

export function state(change: Partial<RollOutState> = {}): RollOutState {
  return { shards: [], reports: [], overdue: new Set(), noAgentsOverdue: false, ...change };
}

/** The only element; fails the test when there is none or more. */
export function only<Item>(items: readonly Item[]): Item {
  expect(items).to.have.length(1);
  const [item] = items;
  if (item === undefined) throw new Error('nothing there');
  return item;
}
