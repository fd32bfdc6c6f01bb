// Which endpoint addresses and ports are protected, and how far: the shards of all services in one table with one row for
// each address and port. What a host does about a row: plan-host.ts (children) and guard-rows.ts.
import type { EndpointFact, EndpointState, HostName, ShardFact, Stage } from './facts.ts';
import { compareAddresses, type Address } from './ip.ts';
import { comparePorts, formatPort, type Port } from './ports.ts';
import { compareText } from './problem.ts';

/** A stage in which something is loaded or counted. */
export type LiveStage = Exclude<Stage, 'gone'>;

export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

/** One endpoint address with one protocol and port, whichever services it belongs to. */
export interface ProtectedEndpoint extends Port {
  readonly address: Address;
  readonly host: HostName;
  readonly state: Exclude<EndpointState, 'leaving'>;
  readonly stage: LiveStage;
  /** Of those that want it loaded the first by namespace, then name. */
  readonly service: ServiceName;
  /** Names of the shards that want it loaded, sorted. */
  readonly shards: readonly string[];
  /** All hosts that some shard names for this address, sorted; more than one is a contradiction. */
  readonly claimedHosts: readonly HostName[];
}

interface PlacedAddress {
  readonly host: HostName;
  readonly claimedHosts: readonly HostName[];
}

interface Claim extends Port {
  readonly address: Address;
  readonly host: HostName;
  readonly state: EndpointState;
  readonly stage: LiveStage;
  readonly service: ServiceName;
  readonly shard: string;
}

const STRICTNESS: Readonly<Record<LiveStage, number>> = { enforce: 3, protect: 2, prepare: 1, release: 0 };

/** Which of at least two hosts, sorted, has this address. */
export type HostOfAddress = (address: Address, candidates: readonly HostName[]) => HostName;

/**
 * Sorted by address, then port. Not there is what is `gone`, what has no stage in shard 0 of its service, and what is leaving
 * wherever it was: its pod is gone or no longer of the service, and the address may already be the next pod's.
 */
export function protectedEndpoints(shards: readonly ShardFact[], hostOf: HostOfAddress): ProtectedEndpoint[] {
  const all = [...claims(shards)];
  const hosts = hostsByAddress(all.filter(isWanted), hostOf);
  return [...Map.groupBy(all, (claim) => `${claim.address} ${formatPort(claim)}`).values()]
    .filter((group) => group.some(isWanted))
    .map((group) => merge(group, hosts))
    .sort((a, b) => compareAddresses(a.address, b.address) || comparePorts(a, b));
}

/** An address is on one host, whatever its services say; two hosts for it would have one flow in two connections. */
function hostsByAddress(wanted: readonly Claim[], hostOf: HostOfAddress): Map<Address, PlacedAddress> {
  const placed = new Map<Address, PlacedAddress>();
  for (const [address, group] of Map.groupBy(wanted, (claim) => claim.address)) {
    const claimedHosts = [...new Set(group.map((claim) => claim.host))].sort(compareText);
    const host = claimedHosts.length > 1 ? hostOf(address, claimedHosts) : first(claimedHosts);
    placed.set(address, { host, claimedHosts });
  }
  return placed;
}

function* claims(shards: readonly ShardFact[]): Generator<Claim> {
  const stages = stagesByService(shards);
  for (const shard of shards)
    for (const endpoint of shard.endpoints)
      yield* claimsOf(shard, endpoint, stages.get(serviceKey(shard)) ?? new Map());
}

function* claimsOf(
  shard: ShardFact,
  endpoint: EndpointFact,
  stages: ReadonlyMap<string, Stage>,
): Generator<Claim> {
  const { address, host, state } = endpoint;
  const service = { namespace: shard.namespace, name: shard.service };
  for (const { protocol, port } of endpoint.ports) {
    const stage = stages.get(formatPort({ protocol, port })) ?? 'gone';
    if (stage !== 'gone')
      yield { address, host, state, protocol, port, stage, service, shard: shard.version.name };
  }
}

/** Stages stand in shard 0 alone, whatever shard an endpoint is in. */
function stagesByService(shards: readonly ShardFact[]): Map<string, Map<string, Stage>> {
  const first = shards.filter((shard) => shard.index === 0);
  return new Map(
    first.map((shard) => [
      serviceKey(shard),
      new Map(shard.stages.map((entry) => [formatPort(entry), entry.stage])),
    ]),
  );
}

function serviceKey(shard: ShardFact): string {
  return `${shard.namespace}/${shard.service}`;
}

/**
 * The stage is the strictest of all, so that a service in its first or last stage never opens what another one holds.
 * Active beats pending: it says that the endpoint's host has this address and port loaded, which is true of the flow, whichever
 * service it was reported for. Both beat leaving: what one service wants is not unloaded because another one lets go of it.
 */
function merge(all: readonly Claim[], hosts: ReadonlyMap<Address, PlacedAddress>): ProtectedEndpoint {
  const wanted = all.filter(isWanted);
  const { address, protocol, port, host: claimedHost } = first(wanted);
  const { host, claimedHosts } = hosts.get(address) ?? { host: claimedHost, claimedHosts: [claimedHost] };
  return {
    address,
    protocol,
    port,
    host,
    claimedHosts,
    state: wanted.some((claim) => claim.state === 'active' && claim.host === host) ? 'active' : 'pending',
    stage: first(all.map((claim) => claim.stage).sort((a, b) => STRICTNESS[b] - STRICTNESS[a])),
    service: first(wanted.map((claim) => claim.service).sort(compareServices)),
    shards: [...new Set(wanted.map((claim) => claim.shard))].sort(compareText),
  };
}

function isWanted(claim: Claim): boolean {
  return claim.state !== 'leaving';
}

function compareServices(a: ServiceName, b: ServiceName): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

function first<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new Error('a group without members');
  return item;
}
