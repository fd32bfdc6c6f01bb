// What should the IPsecService objects say next? The step from what stands in the API towards what is wanted, as far as the
// hosts' answers allow. Pure: a new leader computes the same from the same objects. Writing is the manager's.
//
// Liveness under churn: an answer counts for the exact version of a shard, so a shard that changes faster than hosts report
// holds only itself: its endpoints are taken up when it rests for one report. Stages of a service wait for all its shards,
// but a wait is timed for the service's port and stage, not for a version (waiting.ts): the bound ends it in any case.
import { answersOf } from './answers.ts';
import { formatPort } from './ports.ts';
import { shardName, type ShardFact, type ShardSpec, type ShardVersion } from './facts.ts';
import { compareText } from './problem.ts';
import { serviceKey, type Resolved } from './resolve.ts';
import { rollOutService } from './roll-out-service.ts';
import type { RollOutState } from './world.ts';
import type { WaitsOfPass } from './waiting.ts';

export interface RollOut extends WaitsOfPass {
  /** Every IPsecService as it should stand, sorted by service and index. */
  readonly shards: readonly ShardSpec[];
  /** Objects that are to be deleted, and only these: nothing is deleted for being absent from `shards`. */
  readonly removed: readonly ShardVersion[];
}

/** One write that brings the API closer to a roll-out. */
export type ShardWrite =
  | { readonly kind: 'create'; readonly spec: ShardSpec }
  | { readonly kind: 'update'; readonly spec: ShardSpec; readonly version: ShardVersion }
  | { readonly kind: 'delete'; readonly version: ShardVersion };

/** Twice without new answers is the same as once. */
export function rollOut(
  resolved: Pick<Resolved, 'hosts' | 'readyHosts' | 'services'>,
  state: RollOutState,
): RollOut {
  const answers = answersOf(resolved, state);
  const wanted = new Map(
    resolved.services.map((service) => [serviceKey(service.namespace, service.service), service]),
  );
  const existing = Map.groupBy(state.shards, (shard) => serviceKey(shard.namespace, shard.service));
  const keys = [...new Set([...wanted.keys(), ...existing.keys()])].sort(compareText);
  const steps = keys.map((key) => {
    const shards = (existing.get(key) ?? []).toSorted((a, b) => a.index - b.index);
    return { key, ...rollOutService({ key, resolved: wanted.get(key), shards, answers }) };
  });
  return {
    shards: steps.flatMap((step) => step.shards),
    removed: steps.flatMap((step) => step.removed).sort((a, b) => compareText(a.name, b.name)),
    waiting: steps.flatMap((step) => step.waiting),
    lagging: new Map(steps.map((step) => [step.key, step.lagging])),
  };
}

/** What is to be written; nothing when the API already says what it should. */
export function shardWrites(
  plan: Pick<RollOut, 'shards' | 'removed'>,
  existing: readonly ShardFact[],
): ShardWrite[] {
  const facts = new Map(existing.map((fact) => [fact.version.name, fact]));
  const changes = plan.shards.flatMap((spec): ShardWrite[] => {
    const fact = facts.get(shardName(spec));
    if (fact === undefined) return [{ kind: 'create', spec }];
    return isSameShard(spec, fact) ? [] : [{ kind: 'update', spec, version: fact.version }];
  });
  return [...changes, ...plan.removed.map((version): ShardWrite => ({ kind: 'delete', version }))];
}

/** Whether an object already says what it should; all lists are sorted, so text decides. */
export function isSameShard(spec: ShardSpec, fact: ShardSpec): boolean {
  return canonical(spec) === canonical(fact);
}

function canonical({
  namespace,
  service,
  index,
  clusterIps,
  servicePorts,
  stages,
  endpoints,
}: ShardSpec): string {
  return JSON.stringify([
    namespace,
    service,
    index,
    clusterIps,
    servicePorts.map(formatPort),
    stages.map((entry) => [formatPort(entry), entry.stage]),
    endpoints.map(({ address, host, ports, state }) => [address, host, ports.map(formatPort), state]),
  ]);
}
