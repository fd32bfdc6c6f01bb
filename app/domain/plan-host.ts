// What should one host have loaded, given the facts? Connections, children and guard rows, before children have names
// (names.ts) and without a look at what is loaded. Same facts in any order, same bytes (invariant 2).
import { passChildren } from './borrowed-addresses.ts';
import { clientPrefixes, contestedProblems } from './client-prefixes.ts';
import type { Facts, HostFact, HostName } from './facts.ts';
import { flowEnd, type Direction, type Flow } from './flows.ts';
import { guardRows } from './guard-rows.ts';
import type { HostPlan, PlannedChild, PlannedConnection, StartAction } from './host-config.ts';
import { contains, familyOf, prefixLength, type Address } from './ip.ts';
import { LOCAL_CONNECTION } from './names.ts';
import { hostNameProblems, peerConnections } from './peer-connections.ts';
import { priorityOf } from './priorities.ts';
import { compareProblems, compareText, type Problem } from './problem.ts';
import { protectedEndpoints, type LiveStage, type ProtectedEndpoint } from './protected-endpoints.ts';

/** What each end's trap does in each stage; a child in start_action none carries what its peer initiates. */
const START_ACTIONS: Readonly<Record<LiveStage, Readonly<Record<Direction, StartAction>>>> = {
  prepare: { egress: 'none', ingress: 'none' },
  protect: { egress: 'trap', ingress: 'none' },
  enforce: { egress: 'trap', ingress: 'trap' },
  release: { egress: 'none', ingress: 'none' },
};

/**
 * One host's plan. A host that is not in the facts, or whose name is not supported, has no connections but all guard rows: what
 * cannot be protected is held.
 */
export function planHost(facts: Facts, self: HostName): HostPlan {
  const { hosts, contested } = clientPrefixes(facts.hosts);
  const endpoints = protectedEndpoints(facts.shards, (address, candidates) =>
    ownerAmong(candidates, address, hosts),
  );
  const here = hosts.find((host) => host.name === self) ?? { name: self, addresses: [], prefixes: [] };
  const others = hosts.filter((host) => host.name !== self);
  const children = endpoints.flatMap((endpoint) => childrenOf(endpoint, here, others));
  const peers = peerConnections(children, { hosts, network: facts.network }, self);
  const connections = [...peers.connections, ...localConnection(peers.connections, here, others)];
  return {
    host: self,
    ...lenience(facts.network),
    networkUid: facts.network.uid,
    connections: connections.sort((a, b) => compareText(a.name, b.name)),
    guard: guardRows(endpoints, facts.shards, facts.network, self),
    problems: unique([
      ...hostNameProblems(self),
      ...contestedProblems(contested, self),
      ...mismatchProblems(endpoints, self),
      ...peers.problems,
    ]),
    shards: facts.shards
      .map(({ version: { name, uid, generation } }) => ({ name, uid, generation }))
      .sort((a, b) => compareText(a.name, b.name)),
  };
}

function lenience({ guardMode }: Facts['network']): Pick<HostPlan, 'guardMode'> {
  return guardMode === 'enforce' ? {} : { guardMode };
}

/**
 * ```
 * state      on the endpoint's host              on every other host
 * pending    ingress                             nothing: nobody would answer
 * active     ingress                             egress
 * ```
 */
function childrenOf(
  endpoint: ProtectedEndpoint,
  self: HostFact,
  others: readonly HostFact[],
): PlannedChild[] {
  const direction: Direction = endpoint.host === self.name ? 'ingress' : 'egress';
  if (direction === 'egress' && endpoint.state === 'pending') return [];
  const clients = direction === 'ingress' ? others : [self];
  return clients.flatMap((client) =>
    client.prefixes
      .filter((prefix) => familyOf(prefix) === familyOf(endpoint.address))
      .map((prefix) => childOf(endpoint, { client: client.name, clientPrefix: prefix }, direction)),
  );
}

function childOf(
  endpoint: ProtectedEndpoint,
  from: Pick<Flow, 'client' | 'clientPrefix'>,
  direction: Direction,
): PlannedChild {
  const { address, host, protocol, port, stage, service, shards } = endpoint;
  const flow: Flow = { ...from, host, endpoint: address, protocol, port };
  return {
    ...flowEnd(flow, direction),
    flow,
    mode: 'tunnel',
    priority: priorityOf(flow),
    startAction: START_ACTIONS[stage][direction],
    service,
    shards,
  };
}

function localConnection(
  peers: readonly PlannedConnection[],
  self: HostFact,
  others: readonly HostFact[],
): PlannedConnection[] {
  const ingress = peers.flatMap((peer) => peer.children).filter((child) => child.direction === 'ingress');
  const children = passChildren(ingress, self, others);
  return children.length === 0 ? [] : [{ kind: 'local', name: LOCAL_CONNECTION, children }];
}

/** The candidate with the most specific prefix around the address, else the first by name. */
function ownerAmong(candidates: readonly HostName[], address: Address, hosts: readonly HostFact[]): HostName {
  const lengths = candidates.map((name) => {
    const prefixes = hosts.find((host) => host.name === name)?.prefixes ?? [];
    return Math.max(-1, ...prefixes.filter((prefix) => contains(prefix, address)).map(prefixLength));
  });
  const best = candidates[lengths.indexOf(Math.max(...lengths))];
  if (best === undefined) throw new Error(`no candidate for ${address}`);
  return best;
}

/** Reported by the hosts that are named for one address. */
function mismatchProblems(endpoints: readonly ProtectedEndpoint[], self: HostName): Problem[] {
  return endpoints
    .filter(({ claimedHosts }) => claimedHosts.length > 1 && claimedHosts.includes(self))
    .map(({ address, host, claimedHosts }) => ({
      reason: 'EndpointHostMismatch',
      subject: address,
      message: `services place ${address} on ${claimedHosts.join(' and ')}; it is taken to be on ${host}. Compare their EndpointSlices`,
    }));
}

function unique(problems: readonly Problem[]): Problem[] {
  const texts = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
  return [...texts.values()].sort(compareProblems);
}
