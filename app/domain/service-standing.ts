// How far is a service in fact? What its shards in the API say, and which hosts have reported exactly that. One look for all
// policies that name the service; what it means for a policy: programmed.ts and policy-status.ts.
import { reportIndex } from './answers.ts';
import type { EndpointFact, HostName, HostReport, ShardFact, Stage } from './facts.ts';
import type { Address } from './ip.ts';
import { formatPort } from './ports.ts';
import type { Resolved } from './resolve.ts';
import { serviceKey } from './resolve.ts';

/** A service without shards has nothing in force. */
export interface ServiceStanding {
  /** By port as text. */
  readonly stages: ReadonlyMap<string, Stage>;
  /** Those that are leaving are not there. */
  readonly endpoints: ReadonlyMap<Address, EndpointFact>;
  /** Hosts with an IPsecHost that have reported all shards as they stand; none while there is no shard. Sorted. */
  readonly hostsInForce: readonly HostName[];
}

export type StandingOf = (service: string) => ServiceStanding;

export function serviceStandings(
  resolved: Pick<Resolved, 'hosts'>,
  shards: readonly ShardFact[],
  reports: readonly HostReport[],
): StandingOf {
  const hasReported = reportIndex(reports);
  const byService = Map.groupBy(shards, (shard) => serviceKey(shard.namespace, shard.service));
  const known = new Map<string, ServiceStanding>();
  return (service) => {
    const standing = known.get(service) ?? standingOf(byService.get(service) ?? [], resolved, hasReported);
    known.set(service, standing);
    return standing;
  };
}

function standingOf(
  shards: readonly ShardFact[],
  { hosts }: Pick<Resolved, 'hosts'>,
  hasReported: ReturnType<typeof reportIndex>,
): ServiceStanding {
  const first = shards.find((shard) => shard.index === 0);
  const endpoints = shards.flatMap((shard) => shard.endpoints).filter(({ state }) => state !== 'leaving');
  const inForce = hosts.filter(({ name }) => shards.every((shard) => hasReported(name, shard.version)));
  return {
    stages: new Map(first?.stages.map((entry) => [formatPort(entry), entry.stage])),
    endpoints: new Map(endpoints.map((endpoint) => [endpoint.address, endpoint])),
    hostsInForce: shards.length === 0 ? [] : inForce.map(({ name }) => name),
  };
}
