// What must the guard hold when nobody can say what is protected? After a reboot without the API our own file is all there is: its
// children name endpoints and clients. Pure. Whether a table is made of it at all: guard-keeper.ts.
import type { Child, GuardEndpoint, GuardRows, HostConfig } from '../domain/host-config.ts';
import {
  addressBits,
  compareAddresses,
  comparePrefixes,
  networkAddress,
  prefixLength,
  type Prefix,
} from '../domain/ip.ts';
import { comparePorts } from '../domain/ports.ts';
import { endpointKey } from '../guard/rows.ts';

/**
 * ```
 * child     in start_action trap                         in none
 * egress    its endpoint holds requests of pods here     counts
 * ingress   its endpoint, here, holds both ways          counts
 * ```
 * Pools are the clients' prefixes of all children, no more: with a wider net the guard would hold hosts and clients outside the
 * cluster, which stay as they are; with these it holds exactly the flows that the file protects. The platform's pools come with
 * the facts, and so do cluster IPs, which the file does not know (what they lead to is held by its endpoints).
 */
export function guardFromFile({ connections }: HostConfig): GuardRows {
  const ends = connections
    .flatMap(({ children }) => children)
    .flatMap((child) => endOf(child) ?? [])
    .sort(
      (a, b) =>
        compareAddresses(a.endpoint.address, b.endpoint.address) || comparePorts(a.endpoint, b.endpoint),
    );
  const groups = Map.groupBy(ends, ({ endpoint }) => endpointKey(endpoint));
  return {
    endpoints: [...groups.values()].flatMap((group) => merge(group.map(({ endpoint }) => endpoint))),
    clusterIps: [],
    pools: [...new Set(ends.map(({ client }) => client))].sort(comparePrefixes),
  };
}

interface End {
  readonly endpoint: GuardEndpoint;
  readonly client: Prefix;
}

/** The endpoint's side has the port. Undefined for a child that passes, and for one that is no flow of ours. */
function endOf({ mode, localTs, remoteTs, startAction }: Child): End | undefined {
  const isEgress = remoteTs.port !== undefined;
  const [client, { prefix, protocol, port }] = isEgress ? [localTs, remoteTs] : [remoteTs, localTs];
  if (mode !== 'tunnel' || port === undefined || prefixLength(prefix) !== addressBits(prefix))
    return undefined;
  const isHeld = startAction === 'trap';
  return {
    client: client.prefix,
    endpoint: {
      address: networkAddress(prefix),
      protocol,
      port,
      holdEgress: isEgress && isHeld,
      holdIngress: !isEgress && isHeld,
    },
  };
}

function merge(group: readonly GuardEndpoint[]): GuardEndpoint[] {
  return group.slice(0, 1).map((first) => ({
    ...first,
    holdEgress: group.some(({ holdEgress }) => holdEgress),
    holdIngress: group.some(({ holdIngress }) => holdIngress),
  }));
}
