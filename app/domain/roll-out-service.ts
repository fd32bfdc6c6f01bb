// The next step of one service: its ports' stages, its endpoints, its shards, and when they may be deleted. The rules for one
// port are stages.ts's, for one endpoint shard-endpoints.ts's.
import { serviceAnswers, type ServiceAnswers } from './answers.ts';
import type { EndpointFact, HostName, PortStage, ShardFact, ShardSpec, ShardVersion } from './facts.ts';
import { comparePorts, formatPort, portTexts, uniquePorts, type Port } from './ports.ts';
import { compareText } from './problem.ts';
import { nextEndpoints, type EndpointsByShard } from './shard-endpoints.ts';
import { isEmpty, isInert, isKept, shardSpecs, type ServiceStep } from './shard-specs.ts';
import { nextUnwantedStage, nextWantedStage } from './stages.ts';
import type { Waiting } from './waiting.ts';

export interface ServiceRollOut {
  /** Sorted by index. */
  readonly shards: readonly ShardSpec[];
  readonly removed: readonly ShardVersion[];
  readonly waiting: readonly Waiting[];
  /** Ready hosts that have not reported the shards as they stand. */
  readonly lagging: readonly HostName[];
}

export function rollOutService(step: ServiceStep): ServiceRollOut {
  const { resolved, shards, answers } = step;
  const of = serviceAnswers(shards, answers);
  const wanted = wantedPorts(step);
  const fading = fadingStages(step, wanted, of);
  const endpoints = nextEndpoints(shards, {
    resolved,
    wanted: portTexts(wanted),
    fading: portTexts(fading),
    answers,
  });
  const ports = wanted.map((port) => portStep(port, step, of, endpoints));
  const stages = [...ports.map(({ next }) => next), ...fading].sort(comparePorts);
  const specs = shardSpecs(step, stages, endpoints);
  const isOver = specs.every(isEmpty) && (answers.agents.size === 0 || (isInert(shards) && of.isKnownToAll));
  const kept = isOver ? [] : specs.filter((spec) => isKept(spec, step));
  const keptIndexes = new Set(kept.map((spec) => spec.index));
  return {
    shards: kept,
    removed: shards.filter((shard) => !keptIndexes.has(shard.index)).map((shard) => shard.version),
    waiting: [...ports.flatMap((port) => port.waiting), ...fadingWaits(step, fading, of)],
    lagging: of.lagging,
  };
}

function stagesOf(shards: readonly ShardFact[]): readonly PortStage[] {
  return shards.find((shard) => shard.index === 0)?.stages ?? [];
}

/** Ports that are asked for, and those that may be: while targets are not known nothing of the protocol is let go. */
function wantedPorts({ resolved, shards }: ServiceStep): Port[] {
  const unknown = new Set(resolved?.unknownTargets);
  const inForce = stagesOf(shards).filter(({ stage }) => stage !== 'release' && stage !== 'gone');
  const held = inForce.filter(({ protocol }) => unknown.has(protocol));
  return uniquePorts([...(resolved?.ports ?? []), ...held.map(({ protocol, port }) => ({ protocol, port }))]);
}

function fadingStages(step: ServiceStep, wanted: readonly Port[], answers: ServiceAnswers): PortStage[] {
  const kept = portTexts(wanted);
  return stagesOf(step.shards).flatMap((entry) => {
    if (kept.has(formatPort(entry))) return [];
    const stage = nextUnwantedStage(entry.stage, answers, step.answers.agents.size > 0);
    return stage === undefined ? [] : [{ ...entry, stage }];
  });
}

function fadingWaits(step: ServiceStep, fading: readonly PortStage[], answers: ServiceAnswers): Waiting[] {
  const before = new Map(stagesOf(step.shards).map((entry) => [formatPort(entry), entry.stage]));
  return fading
    .filter((entry) => answers.missing.length > 0 && before.get(formatPort(entry)) === entry.stage)
    .map((entry) => ({ ...entry, service: step.key, hosts: answers.missing }));
}

interface PortStep {
  readonly next: PortStage;
  readonly waiting: readonly Waiting[];
}

function portStep(
  port: Port,
  step: ServiceStep,
  answers: ServiceAnswers,
  endpoints: EndpointsByShard,
): PortStep {
  const current = stagesOf(step.shards).find((entry) => formatPort(entry) === formatPort(port))?.stage;
  const serving = [...endpoints.values()]
    .flat()
    .filter((endpoint) => portTexts(endpoint.ports).has(formatPort(port)));
  const unprepared = unpreparedHosts(serving, step);
  const stage = nextWantedStage(current, {
    answers,
    hasEndpoints: serving.length > 0,
    isHeldAlready: isHeldAlready(port, step),
    isPrepared: unprepared.length === 0,
  });
  const isHeld = stage === current && stage !== 'enforce';
  const hosts = [...new Set([...answers.missing, ...(stage === 'prepare' ? unprepared : [])])].sort(
    compareText,
  );
  return { next: { ...port, stage }, waiting: isHeld ? [{ ...port, stage, service: step.key, hosts }] : [] };
}

/** Awaited hosts with endpoints that do not stand as active in the API yet. */
function unpreparedHosts(endpoints: readonly EndpointFact[], { shards, answers }: ServiceStep): HostName[] {
  const standing = new Map(
    shards.flatMap((shard) => shard.endpoints).map(({ address, state }) => [address, state]),
  );
  return endpoints
    .filter(
      ({ address, host, state }) =>
        state !== 'leaving' && answers.awaited.has(host) && standing.get(address) !== 'active',
    )
    .map(({ host }) => host);
}

/** A port is new behind a service port that clients hold: it must not open what they rely on. */
function isHeldAlready(port: Port, { resolved, shards }: ServiceStep): boolean {
  const held = portTexts(shards.find((shard) => shard.index === 0)?.servicePorts ?? []);
  return (resolved?.servicePorts ?? []).some(
    (own) => held.has(formatPort(own)) && portTexts(own.targets).has(formatPort(port)),
  );
}
