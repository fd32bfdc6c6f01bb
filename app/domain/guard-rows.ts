// What the guard on this host counts and what it holds: rows out of facts alone, so they stand before charon has loaded
// anything and where no connection is possible at all (invariant 8). The guard's mode and nft's words: guard/.
import type { HostName, NetworkFact, ShardFact, Stage } from './facts.ts';
import type { GuardClusterIp, GuardEndpoint, GuardRows } from './host-config.ts';
import { compareAddresses, comparePrefixes } from './ip.ts';
import { comparePorts, formatPort } from './ports.ts';
import type { ProtectedEndpoint } from './protected-endpoints.ts';

/**
 * Pending and active endpoints alike: what has no tunnel yet must wait, not leave in plaintext.
 * ```
 * stage       on clients' hosts   on the endpoint's host
 * prepare     counts              counts
 * protect     holds               counts: its replies to clients that lag behind must pass
 * enforce     holds               holds
 * release     counts              counts
 * ```
 */
export function guardRows(
  endpoints: readonly ProtectedEndpoint[],
  shards: readonly ShardFact[],
  network: NetworkFact,
  self: HostName,
): GuardRows {
  return {
    endpoints: endpoints.map((endpoint) => guardEndpoint(endpoint, self)),
    clusterIps: clusterIpRows(shards),
    pools: [...new Set(network.pools)].sort(comparePrefixes),
  };
}

function guardEndpoint(endpoint: ProtectedEndpoint, self: HostName): GuardEndpoint {
  const { address, protocol, port, host, stage } = endpoint;
  return {
    address,
    protocol,
    port,
    holdEgress: host !== self && isHeldByClients(stage),
    holdIngress: host === self && stage === 'enforce',
  };
}

/** Rows hold, they never count: facts name a service port only while all that it leads to is held by clients' hosts. */
function clusterIpRows(shards: readonly ShardFact[]): GuardClusterIp[] {
  const rows = shards.filter((shard) => shard.index === 0).flatMap(clusterIpsOf);
  const byKey = new Map(rows.map((row) => [`${row.address} ${formatPort(row)}`, row]));
  return [...byKey.values()].sort((a, b) => compareAddresses(a.address, b.address) || comparePorts(a, b));
}

function clusterIpsOf({ servicePorts, clusterIps }: ShardFact): GuardClusterIp[] {
  return servicePorts.flatMap(({ protocol, port }) =>
    clusterIps.map((address) => ({ address, protocol, port })),
  );
}

function isHeldByClients(stage: Stage): boolean {
  return stage === 'protect' || stage === 'enforce';
}
