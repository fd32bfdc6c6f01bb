// Whose is a pod address, and which pod prefixes has a host? Calico's IPAM blocks decide; an affinity only stands in
// for a block that has no IPAMBlock yet. What follows for services is resolve.ts's.
import type { HostFact, HostName } from './facts.ts';
import type { Address, Family, Prefix } from './ip.ts';
import {
  compareAddresses,
  comparePrefixes,
  familyOf,
  hostPrefix,
  networkAddress,
  networkKey,
  prefixLength,
} from './ip.ts';
import type { Problem } from './problem.ts';
import { compareText } from './problem.ts';
import type { Node, World } from './world.ts';

type Ipam = Pick<World, 'blocks' | 'affinities'>;

/** The host that uses an address, or undefined when no block tells. */
export type OwnerOf = (address: Address) => HostName | undefined;

/** Prefixes and their owners: blocks, affinities without a block, and each borrowed address as /32 or /128. */
function ownedPrefixes(ipam: Ipam): [Prefix, HostName][] {
  const blocks = new Set(ipam.blocks.map((block) => block.prefix));
  const hints = ipam.affinities.filter((affinity) => !blocks.has(affinity.prefix));
  return [
    ...[...hints]
      .sort((a, b) => compareText(a.host, b.host))
      .map(({ prefix, host }): [Prefix, HostName] => [prefix, host]),
    ...ipam.blocks.flatMap(({ prefix, host }): [Prefix, HostName][] =>
      host === undefined ? [] : [[prefix, host]],
    ),
    ...ipam.blocks.flatMap(({ borrowed }) =>
      borrowed.map(({ address, host }): [Prefix, HostName] => [hostPrefix(address), host]),
    ),
  ];
}

/** Indexes the blocks by length, so that one look-up costs a few map reads however many blocks there are. */
export function addressOwners(ipam: Ipam): OwnerOf {
  const owners = new Map<string, HostName>();
  const lengths: Record<Family, Set<number>> = { 4: new Set(), 6: new Set() };
  for (const [prefix, host] of ownedPrefixes(ipam)) {
    lengths[familyOf(prefix)].add(prefixLength(prefix));
    owners.set(networkKey(networkAddress(prefix), prefixLength(prefix)), host);
  }
  const longestFirst = { 4: descending(lengths[4]), 6: descending(lengths[6]) };
  return (address) => {
    for (const length of longestFirst[familyOf(address)]) {
      const owner = owners.get(networkKey(address, length));
      if (owner !== undefined) return owner;
    }
    return undefined;
  };
}

function descending(lengths: ReadonlySet<number>): number[] {
  return [...lengths].sort((a, b) => b - a);
}

/** What each IPsecHost should say, sorted by name, and what keeps hosts from being protected. */
export interface HostsOfWorld {
  readonly hosts: readonly HostFact[];
  readonly problems: readonly Problem[];
}

/** One fact for every Node that carries the agent's label and has an address. */
export function hostFacts(world: Pick<World, 'nodes' | 'blocks' | 'affinities'>): HostsOfWorld {
  const prefixes = prefixesByHost(world);
  const hosts: HostFact[] = [];
  const problems: Problem[] = [];
  for (const node of [...world.nodes].sort((a, b) => compareText(a.name, b.name))) {
    const owned = prefixes.get(node.name) ?? [];
    const problem = hostProblem(node, owned);
    if (problem !== undefined) problems.push(problem);
    if (node.agent && node.addresses.length > 0)
      hosts.push({ name: node.name, addresses: [...node.addresses].sort(compareAddresses), prefixes: owned });
  }
  return { hosts, problems };
}

function prefixesByHost(ipam: Ipam): Map<HostName, Prefix[]> {
  const byHost = new Map<HostName, Set<Prefix>>();
  for (const [prefix, host] of ownedPrefixes(ipam)) {
    const owned = byHost.get(host) ?? new Set();
    byHost.set(host, owned.add(prefix));
  }
  return new Map([...byHost].map(([host, owned]) => [host, [...owned].sort(comparePrefixes)]));
}

function hostProblem(node: Node, prefixes: readonly Prefix[]): Problem | undefined {
  const subject = node.name;
  if (!node.agent)
    return prefixes.length === 0
      ? undefined
      : {
          reason: 'HostWithoutAgent',
          subject,
          message: `Host ${subject} has pods but no agent: their traffic to protected services on other hosts is held. Label the host ipsec-policy-agent-operator=enabled.`,
        };
  if (node.addresses.length === 0)
    return {
      reason: 'HostWithoutAddress',
      subject,
      message: `Host ${subject} has no InternalIP address, so no tunnel can reach it. Check the addresses of its Node.`,
    };
  return prefixes.length > 0
    ? undefined
    : {
        reason: 'HostWithoutPodPrefix',
        subject,
        message: `Host ${subject} has no Calico block yet, so it has no pods to protect. Nothing is to be done if it runs none.`,
      };
}
