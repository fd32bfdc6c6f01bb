// Which IPsecService objects does a service have, what do they say, and which may go? Stages and endpoints are given; how they
// came about is roll-out-service.ts's.
import type { Answers } from './answers.ts';
import type { PortStage, ShardFact, ShardSpec } from './facts.ts';
import { formatPort, portTexts, type Port } from './ports.ts';
import type { EndpointsByShard } from './shard-endpoints.ts';
import type { ResolvedService } from './world.ts';

/** One service before a step: what is wanted, what stands, who has answered. */
export interface ServiceStep {
  /** `namespace/name`. */
  readonly key: string;
  /** Absent when no policy names the service any more. */
  readonly resolved: ResolvedService | undefined;
  /** What stands in the API, sorted by index. */
  readonly shards: readonly ShardFact[];
  readonly answers: Answers;
}

export function shardSpecs(
  step: ServiceStep,
  stages: readonly PortStage[],
  endpoints: EndpointsByShard,
): ShardSpec[] {
  const { resolved, shards } = step;
  const [namespace = '', service = ''] = step.key.split('/');
  const indexes = new Set([0, ...shards.map(({ index }) => index), ...endpoints.keys()]);
  return [...indexes]
    .sort((a, b) => a - b)
    .map((index) => ({
      namespace,
      service,
      index,
      clusterIps: index === 0 ? (resolved?.clusterIps ?? []) : [],
      servicePorts: index === 0 ? heldServicePorts(resolved, stages) : [],
      stages: index === 0 ? stages : [],
      endpoints: endpoints.get(index) ?? [],
    }));
}

/** Service ports that clients hold from now on. Without known targets nothing is live behind them, so they are held at once. */
function heldServicePorts(resolved: ResolvedService | undefined, stages: readonly PortStage[]): Port[] {
  const held = portTexts(stages.filter(({ stage }) => stage === 'protect' || stage === 'enforce'));
  return (resolved?.servicePorts ?? [])
    .filter(({ targets }) => targets.every((target) => held.has(formatPort(target))))
    .map(({ protocol, port }) => ({ protocol, port }));
}

export function isEmpty(spec: ShardSpec): boolean {
  return spec.stages.length === 0 && spec.servicePorts.length === 0 && spec.endpoints.length === 0;
}

/** True when nobody who has read the shards has anything in force for their sake. */
export function isInert(shards: readonly ShardFact[]): boolean {
  return shards.every(
    (shard) => shard.servicePorts.length === 0 && shard.stages.every(({ stage }) => stage === 'gone'),
  );
}

/** Empty shards stay until every host has read that they are empty: what merely vanishes is kept in force by agents. */
export function isKept(spec: ShardSpec, { shards, answers }: ServiceStep): boolean {
  if (!isEmpty(spec)) return true;
  const standing = shards.find((shard) => shard.index === spec.index);
  if (standing === undefined || answers.agents.size === 0) return false;
  if (spec.index === 0 || !isEmpty(standing)) return true;
  return ![...answers.agents].every((host) => answers.hasReported(host, standing.version));
}
