// Which shards count, when some have vanished or say less than before? A shard that went the way of release and gone is gone; one
// that vanished otherwise (CRD deleted, snapshot restored) is kept in force and reported: an empty list never removes protection.
// Nor does an older version of a shard, which a snapshot brings back: only an observed `release` opens a port. Pure.
import type { PortStage, ShardFact, Stage } from '../domain/facts.ts';
import { formatPort, uniquePorts } from '../domain/ports.ts';
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
  const earlier = new Map(before.map((shard) => [shard.version.uid, shard]));
  return {
    shards: [...now.map((shard) => notLess(shard, earlier.get(shard.version.uid))), ...kept],
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

const TAKING_HOLD: readonly Stage[] = ['prepare', 'protect', 'enforce'];

/** The shard with the stages that it had where they were later; the manager, which reads what stands there now, catches up. */
function notLess(now: ShardFact, before: ShardFact | undefined): ShardFact {
  if (before === undefined) return now;
  const had = new Map(before.stages.map((entry) => [formatPort(entry), entry.stage]));
  const stages = now.stages.map((entry): PortStage => {
    const stage = had.get(formatPort(entry)) ?? entry.stage;
    return isEarlier(entry.stage, stage) ? { ...entry, stage } : entry;
  });
  if (stages.every((entry, index) => entry === now.stages[index])) return now;
  return { ...now, stages, servicePorts: uniquePorts([...now.servicePorts, ...before.servicePorts]) };
}

function isEarlier(stage: Stage, than: Stage): boolean {
  const [position, limit] = [TAKING_HOLD.indexOf(stage), TAKING_HOLD.indexOf(than)];
  return position >= 0 && position < limit;
}
