// Which connections carry this host's flows, and which flows cannot have one? One connection for each peer and family;
// both ends decide from the same facts, so they agree about what is left out, and both say so.
import type { Facts, HostFact, HostName } from './facts.ts';
import type { PlannedChild, PlannedConnection } from './host-config.ts';
import { compareAddresses, familyOf, type Address, type Family } from './ip.ts';
import { commonName, connectionName, isSupportedHostName } from './names.ts';
import type { Problem } from './problem.ts';

export interface PeerConnections {
  readonly connections: readonly PlannedConnection[];
  readonly problems: readonly Problem[];
}

type Outcome = { readonly connection: PlannedConnection } | { readonly problem: Problem };
interface PeerChildren {
  readonly peer: HostName;
  readonly family: Family;
  readonly children: PlannedChild[];
}

/** Connections in the order of their first child; a flow that gets none stays held by the guard and is a Problem. */
export function peerConnections(
  children: readonly PlannedChild[],
  facts: Pick<Facts, 'hosts' | 'network'>,
  self: HostName,
): PeerConnections {
  const hosts = new Map(facts.hosts.map((host) => [host.name, host]));
  const outcomes = byPeer(children).map((group): Outcome => {
    const [local, remote] = [endOf(self, group.family, hosts), endOf(group.peer, group.family, hosts)];
    if ('problem' in local) return local;
    if ('problem' in remote) return remote;
    return {
      connection: {
        kind: 'peer',
        name: connectionName(group.peer, group.family),
        peer: group.peer,
        localAddress: local.address,
        remoteAddress: remote.address,
        localCommonName: commonName(self),
        remoteCommonName: commonName(group.peer),
        parameters: facts.network.parameters,
        children: group.children,
      },
    };
  });
  return {
    connections: outcomes.flatMap((outcome) => ('connection' in outcome ? [outcome.connection] : [])),
    problems: outcomes.flatMap((outcome) => ('problem' in outcome ? [outcome.problem] : [])),
  };
}

/** A host whose name cannot be part of ours; empty when it can. */
export function hostNameProblems(host: HostName): Problem[] {
  return isSupportedHostName(host) ? [] : [unsupportedHostName(host)];
}

function byPeer(children: readonly PlannedChild[]): PeerChildren[] {
  const groups = new Map<string, PeerChildren>();
  for (const child of children) {
    const peer = child.direction === 'egress' ? child.flow.host : child.flow.client;
    const family = familyOf(child.flow.endpoint);
    const key = `${peer} ${family}`;
    const group = groups.get(key) ?? { peer, family, children: [] };
    group.children.push(child);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function endOf(
  host: HostName,
  family: Family,
  hosts: ReadonlyMap<HostName, HostFact>,
): { readonly address: Address } | { readonly problem: Problem } {
  if (!isSupportedHostName(host)) return { problem: unsupportedHostName(host) };
  const addresses = (hosts.get(host)?.addresses ?? []).filter((address) => familyOf(address) === family);
  const [address] = addresses.toSorted(compareAddresses);
  return address === undefined ? { problem: withoutAddress(host, family) } : { address };
}

function unsupportedHostName(host: HostName): Problem {
  return {
    reason: 'UnsupportedHostName',
    subject: host,
    message: `${host} cannot be part of a connection's name: letters, digits, "-" and "_", at most 63, are possible, but not "local", not "-ipv6" at the end and not "system-nodes". Its pods' traffic with protected endpoints on other hosts is held; rename the host`,
  };
}

function withoutAddress(host: HostName, family: Family): Problem {
  return {
    reason: 'PeerWithoutAddressFamily',
    subject: host,
    message: `${host} has no IPv${family} cluster-host address, so IPv${family} traffic of its pods with protected endpoints on other hosts is held; give its Node an IPv${family} InternalIP`,
  };
}
