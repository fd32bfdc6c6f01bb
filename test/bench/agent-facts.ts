// The facts that an agent is measured with, and their objects in the API: no manager writes them here, so that nothing but the
// agent works while it is measured.
import {
  DEFAULT_PARAMETERS,
  type EndpointFact,
  type Facts,
  type GuardMode,
  type HostFact,
  type HostName,
  type ShardFact,
  type ShardSpec,
} from '../../app/domain/facts.ts';
import type { NetworkSpec } from '../../app/domain/network.ts';
import type { Address, Prefix } from '../../app/domain/ip.ts';
import type { Port } from '../../app/domain/ports.ts';
import type { Client } from '../../app/kubernetes/client.ts';
import { HOST_FACTS, NETWORK_FACTS, SHARD_FACTS } from '../../app/kubernetes/fact-objects.ts';
import { REPORTS } from '../../app/kubernetes/resources.ts';
import { createFact } from '../../app/kubernetes/write-facts.ts';
import { hostAddress, hostBlock, hostName, inTurn, podAddress } from './bench-cluster.ts';

/** The host whose agent is measured. */
export const SELF = hostName(0) as HostName;

export interface BenchFacts {
  readonly hosts: readonly HostFact[];
  readonly shards: readonly ShardSpec[];
}

/** A service with an endpoint on every host and three ports: six children for each peer. */
export function everywhereFacts(peers: number): BenchFacts {
  const ports = [8080, 8081, 8082].map((port): Port => ({ protocol: 'tcp', port }));
  const endpoints = [...Array(peers + 1).keys()].map((host) => endpointOn(host, 1, ports));
  const shards = [...Array(Math.ceil(endpoints.length / 100)).keys()].map((index) =>
    shardOf('everywhere', ports, { index, endpoints: endpoints.slice(100 * index, 100 * (index + 1)) }),
  );
  return { hosts: hostFacts(peers + 1), shards };
}

/** As a cluster of that size has them: services of two endpoints, each on another host. */
export function ordinaryFacts(hosts: number, services: number): BenchFacts {
  const ports: Port[] = [{ protocol: 'tcp', port: 8080 }];
  const shards = [...Array(services).keys()].map((service) => {
    const endpoints = [2 * service, 2 * service + 1].map((index) =>
      endpointOn(index % hosts, 1 + Math.floor(index / hosts), ports),
    );
    return shardOf(`service-${service}`, ports, { index: 0, endpoints });
  });
  return { hosts: hostFacts(hosts), shards };
}

/** All but the network, without which agents plan nothing. */
export async function writeFacts(admin: Client, { hosts, shards }: BenchFacts): Promise<void> {
  await inTurn(hosts.length, (index) => createFact(admin, HOST_FACTS, itemOf(hosts, index)));
  await inTurn(shards.length, (index) => createFact(admin, SHARD_FACTS, itemOf(shards, index)));
  await admin.create(REPORTS, { metadata: { name: SELF } });
}

/** From here on the agent plans. */
export async function writeNetwork(admin: Client, guardMode: GuardMode): Promise<void> {
  await createFact(admin, NETWORK_FACTS, network(guardMode));
}

/** What the objects will be read as, but for uids and generations. */
export function asFacts({ hosts, shards }: BenchFacts): Facts {
  const version = { uid: 'bench', generation: 1 };
  return {
    network: { ...network('enforce'), uid: 'bench' },
    hosts,
    shards: shards.map((shard): ShardFact => ({
      ...shard,
      version: { ...version, name: SHARD_FACTS.name(shard) },
    })),
  };
}

export function endpointOn(host: number, place: number, ports: readonly Port[]): EndpointFact {
  const address = podAddress(host, place) as Address;
  return { address, host: hostName(host) as HostName, ports, state: 'active' };
}

function network(guardMode: GuardMode): NetworkSpec {
  return { pools: ['172.16.0.0/14' as Prefix], parameters: DEFAULT_PARAMETERS, guardMode };
}

function hostFacts(count: number): HostFact[] {
  return [...Array(count).keys()].map((host) => ({
    name: hostName(host) as HostName,
    addresses: [hostAddress(host) as Address],
    prefixes: [hostBlock(host) as Prefix],
  }));
}

function shardOf(
  service: string,
  ports: readonly Port[],
  { index, endpoints }: Pick<ShardSpec, 'index' | 'endpoints'>,
): ShardSpec {
  const stages = index === 0 ? ports.map((port) => ({ ...port, stage: 'enforce' as const })) : [];
  return { namespace: 'default', service, index, clusterIps: [], servicePorts: [], stages, endpoints };
}

function itemOf<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`nothing at ${index}`);
  return item;
}
