// A cluster in miniature for roll-out tests: an API that counts generations, agents that report what they have read, and a
// manager pass. No clock and no I/O: a test decides who reports and when a pass runs.
import type { EndpointState, HostName, HostReport, ShardFact, Stage } from '../../app/domain/facts.ts';
import { shardName } from '../../app/domain/facts.ts';
import { formatPort } from '../../app/domain/ports.ts';
import { resolve } from '../../app/domain/resolve.ts';
import { rollOut, shardWrites, type RollOut } from '../../app/domain/roll-out.ts';
import { NO_WAITS, tick, type WaitClock } from '../../app/domain/waiting.ts';
import type { World } from '../../app/domain/world.ts';
import { report } from './world-builders.ts';

export class RollOutCluster {
  world: World;
  shards: readonly ShardFact[] = [];
  reports: readonly HostReport[] = [];
  clock: WaitClock = NO_WAITS;
  writes = 0;
  nowMs = 0;
  #uids = 0;

  constructor(world: World) {
    this.world = world;
  }

  /** One pass of a leader that remembers nothing but waits: plan, write, tick. */
  pass(): RollOut {
    const { shards, reports, clock } = this;
    const plan = rollOut(resolve(this.world), { shards, reports, ...clock });
    for (const write of shardWrites(plan, shards)) this.#apply(write);
    this.clock = tick(clock, plan, this.nowMs);
    return plan;
  }

  #apply(write: ReturnType<typeof shardWrites>[number]): void {
    this.writes += 1;
    const name = write.kind === 'create' ? shardName(write.spec) : write.version.name;
    const before = this.shards.find((shard) => shard.version.name === name)?.version;
    const others = this.shards.filter((shard) => shard.version.name !== name);
    if (write.kind === 'delete') this.shards = others;
    else {
      this.#uids += before === undefined ? 1 : 0;
      const version = {
        name,
        uid: before?.uid ?? `uid-${this.#uids}`,
        generation: (before?.generation ?? 0) + 1,
      };
      this.shards = [...others, { ...write.spec, version }];
    }
  }

  /** The named hosts, or all, report what stands now. */
  answer(...names: readonly HostName[]): this {
    const hosts =
      names.length > 0 ? names : this.world.nodes.filter((node) => node.agent).map(({ name }) => name);
    const others = this.reports.filter((entry) => !hosts.includes(entry.host));
    this.reports = [...others, ...hosts.map((name) => report(name, this.shards))];
    return this;
  }

  /** All answer and a pass runs, until a pass writes nothing; gives the number of rounds. */
  settle(): number {
    for (let rounds = 0; rounds < 50; rounds += 1) {
      const before = this.writes;
      this.answer().pass();
      if (this.writes === before) return rounds;
    }
    throw new Error('does not settle');
  }

  /** `{ 'tcp/53': 'prepare' }` of the only service, or of the one named. */
  stages(service = 'svc'): Record<string, Stage> {
    const entries = this.shards.filter((shard) => shard.service === service).flatMap((shard) => shard.stages);
    return Object.fromEntries(entries.map((entry) => [formatPort(entry), entry.stage]));
  }

  /** `{ '172.16.43.5': 'pending' }`. */
  endpoints(): Record<string, EndpointState> {
    const entries = this.shards.flatMap((shard) => shard.endpoints);
    return Object.fromEntries(entries.map(({ address, state }) => [address, state]));
  }
}
