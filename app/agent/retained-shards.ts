// Which shards count, when some have vanished? A shard that went the way of release and gone is gone; one that vanished
// otherwise (CRD deleted, snapshot restored) is kept in force and reported: an empty list never removes protection. Pure.
import type { ShardFact } from '../domain/facts.ts';
import type { Problem } from '../domain/problem.ts';

export interface RetainedShards {
  /** What is there now and what vanished without leave, sorted as given. */
  readonly shards: readonly ShardFact[];
  readonly problems: readonly Problem[];
}

/** `before` is the result of the last call (under the same network), `now` what the API has. */
export function retainShards(before: readonly ShardFact[], now: readonly ShardFact[]): RetainedShards {
  const present = new Set(now.map((shard) => shard.version.name));
  const kept = before.filter((shard) => !present.has(shard.version.name) && !mayVanish(shard, before));
  return {
    shards: [...now, ...kept],
    problems: kept.map((shard) => ({
      reason: 'FactsVanished',
      subject: shard.version.name,
      message:
        'this IPsecService was deleted although its protection had not been released; what it protects stays protected. Restore it, or remove the policy with the manager running',
    })),
  };
}

/**
 * Released on all ports; or a further shard whose endpoints have all left. The first one says the stages of all, so it counts
 * with or without endpoints of its own.
 */
function mayVanish(shard: ShardFact, all: readonly ShardFact[]): boolean {
  const first = all.find(
    ({ namespace, service, index }) =>
      index === 0 && namespace === shard.namespace && service === shard.service,
  );
  const isReleased = (first?.stages ?? []).every(({ stage }) => stage === 'gone');
  return isReleased || (shard.index > 0 && shard.endpoints.every(({ state }) => state === 'leaving'));
}
