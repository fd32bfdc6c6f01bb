// Which endpoints stand in which shard, in which state? An endpoint keeps its shard, and an address stands once in a service.
// Stages of ports are stages.ts's; which ports survive, roll-out.ts's.
import type { Answers } from './answers.ts';
import type { EndpointFact, EndpointState, ShardFact, ShardVersion } from './facts.ts';
import { compareAddresses, type Address } from './ip.ts';
import { formatPort, uniquePorts, type Port } from './ports.ts';
import type { ResolvedEndpoint, ResolvedService } from './world.ts';

export const MAX_ENDPOINTS_PER_SHARD = 100;

/** What endpoints are measured by. */
export interface EndpointRules {
  /** Absent when no policy names the service any more. */
  readonly resolved: ResolvedService | undefined;
  /** Ports, as text, that are wanted for the service. */
  readonly wanted: ReadonlySet<string>;
  /** Ports, as text, that are released or gone but still listed: endpoints keep them until they are not. */
  readonly fading: ReadonlySet<string>;
  readonly answers: Answers;
}

/** Endpoints by shard index, each list sorted by address; shards without endpoints may be missing. */
export type EndpointsByShard = ReadonlyMap<number, readonly EndpointFact[]>;

export function nextEndpoints(shards: readonly ShardFact[], rules: EndpointRules): EndpointsByShard {
  const resolved = new Map(rules.resolved?.endpoints.map((endpoint) => [endpoint.address, endpoint]));
  const withoutOwner = new Set(rules.resolved?.withoutOwner);
  const placed = new Map<number, EndpointFact[]>();
  const taken = new Set<Address>();
  for (const shard of shards) {
    const next: EndpointFact[] = [];
    for (const endpoint of shard.endpoints) {
      if (taken.has(endpoint.address)) continue;
      const found =
        resolved.get(endpoint.address) ?? (withoutOwner.has(endpoint.address) ? 'unclear' : 'missing');
      const kept = nextEndpoint(endpoint, { found, version: shard.version, rules });
      if (kept === undefined) continue;
      taken.add(endpoint.address);
      next.push(kept);
    }
    placed.set(shard.index, next);
  }
  place(
    [...resolved.values()].filter(({ address }) => !taken.has(address)),
    placed,
  );
  return new Map([...placed].map(([index, list]) => [index, sortByAddress(list)]));
}

interface Sighting {
  readonly found: ResolvedEndpoint | 'unclear' | 'missing';
  readonly version: ShardVersion;
  readonly rules: EndpointRules;
}

/**
 * ```
 * found on its host         pending ──its host has reported──▶ active;  leaving ──▶ pending
 * not found, or moved       any ──▶ leaving ──its host has reported, or is not waited for──▶ undefined: removed
 * none of its ports wanted  stays as it is until its ports are gone
 * ```
 */
function nextEndpoint(endpoint: EndpointFact, { found, version, rules }: Sighting): EndpointFact | undefined {
  const fading = endpoint.ports.filter((port) => rules.fading.has(formatPort(port)));
  if (typeof found === 'object' && found.host === endpoint.host)
    return {
      ...endpoint,
      state: resumed(endpoint, version, rules.answers),
      ports: uniquePorts([...found.ports, ...fading]),
    };
  const wanted = endpoint.ports.filter((port) => rules.wanted.has(formatPort(port)));
  const ports: readonly Port[] = uniquePorts([...wanted, ...fading]);
  if (ports.length === 0) return undefined;
  const stays =
    endpoint.state !== 'leaving' && (found === 'unclear' || (found === 'missing' && wanted.length === 0));
  if (stays) return { ...endpoint, ports };
  return mayForget(endpoint, version, rules.answers) ? undefined : { ...endpoint, state: 'leaving', ports };
}

function resumed(endpoint: EndpointFact, version: ShardVersion, answers: Answers): EndpointState {
  if (endpoint.state === 'leaving') return 'pending';
  const hasLoaded = answers.agents.has(endpoint.host) && answers.hasReported(endpoint.host, version);
  return hasLoaded ? 'active' : endpoint.state;
}

function mayForget(endpoint: EndpointFact, version: ShardVersion, answers: Answers): boolean {
  if (!answers.awaited.has(endpoint.host)) return true;
  return endpoint.state === 'leaving' && answers.hasReported(endpoint.host, version);
}

/** New endpoints fill the first shard that has room. */
function place(endpoints: readonly ResolvedEndpoint[], shards: Map<number, EndpointFact[]>): void {
  let index = 0;
  for (const { address, host, ports } of sortByAddress(endpoints)) {
    while ((shards.get(index)?.length ?? 0) >= MAX_ENDPOINTS_PER_SHARD) index += 1;
    const shard = shards.get(index) ?? [];
    shard.push({ address, host, ports, state: 'pending' });
    shards.set(index, shard);
  }
}

function sortByAddress<Item extends { readonly address: Address }>(items: readonly Item[]): Item[] {
  return items.toSorted((a, b) => compareAddresses(a.address, b.address));
}
