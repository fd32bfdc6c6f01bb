// How the shared facts look in their objects: domain value to `spec`, for the writers. The way back, with its checks,
// is read-facts.ts; a round trip gives the same value.
import { shardName, type HostFact, type ShardSpec } from '../domain/facts.ts';
import type { NetworkSpec } from '../domain/network.ts';
import { formatPort } from '../domain/ports.ts';
import { HOSTS, NETWORKS, SHARDS, type Resource } from './resources.ts';

/** IPsecNetwork's only name. */
export const NETWORK_NAME = 'cluster';

/** How facts of one kind are named and written. */
export interface FactKind<T> {
  readonly resource: Resource;
  name(fact: T): string;
  spec(fact: T): object;
}

export const NETWORK_FACTS: FactKind<NetworkSpec> = {
  resource: NETWORKS,
  name: () => NETWORK_NAME,
  spec: ({ pools, parameters, guardMode }) => ({ pools, guardMode, parameters }),
};

export const HOST_FACTS: FactKind<HostFact> = {
  resource: HOSTS,
  name: ({ name }) => name,
  spec: ({ addresses, prefixes }) => ({ addresses, prefixes }),
};

/** Ports are written as users write them: `udp/53`. */
export const SHARD_FACTS: FactKind<ShardSpec> = {
  resource: SHARDS,
  name: shardName,
  spec: (shard) => ({
    namespace: shard.namespace,
    service: shard.service,
    index: shard.index,
    clusterIPs: shard.clusterIps,
    servicePorts: shard.servicePorts.map(formatPort),
    stages: shard.stages.map((stage) => ({ port: formatPort(stage), stage: stage.stage })),
    endpoints: shard.endpoints.map(({ address, host, ports, state }) => ({
      address,
      host,
      ports: ports.map(formatPort),
      state,
    })),
  }),
};
