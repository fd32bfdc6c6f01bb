// Makes the shared facts in the API equal to what they should be: one write for each object that differs, none else. Each
// carries the version it was computed from, and is preceded by a look at the Lease (a paused leader must not write).
import { isDeepStrictEqual } from 'node:util';
import type { HostFact, HostName } from '../domain/facts.ts';
import type { NetworkSpec } from '../domain/network.ts';
import { shardWrites, type RollOut, type ShardWrite } from '../domain/roll-out.ts';
import type { Client } from '../kubernetes/client.ts';
import {
  HOST_FACTS,
  NETWORK_FACTS,
  NETWORK_NAME,
  SHARD_FACTS,
  type FactKind,
} from '../kubernetes/fact-objects.ts';
import type { WatchCache } from '../kubernetes/watch-cache.ts';
import {
  createFact,
  createReport,
  deleteFact,
  deleteReport,
  replaceFact,
} from '../kubernetes/write-facts.ts';
import type { WorldSource } from './world-source.ts';

export interface FactWriterOptions {
  readonly client: Client;
  readonly source: WorldSource;
  /** Throws when this process leads no more. */
  readonly check: () => void;
}

export interface FactWriter {
  network(spec: NetworkSpec): Promise<number>;
  hosts(facts: readonly HostFact[]): Promise<number>;
  shards(plan: RollOut): Promise<number>;
}

/** Each call gives how many writes it made. */
export function factWriter({ client, source, check }: FactWriterOptions): FactWriter {
  const put = async <Stored, Spec>(
    kind: FactKind<Spec>,
    cache: WatchCache<Stored>,
    spec: Spec,
  ): Promise<void> => {
    check();
    const entry = cache.items().get(kind.name(spec));
    cache.accept(
      entry === undefined
        ? await createFact(client, kind, spec)
        : await replaceFact(client, kind, spec, entry),
    );
  };

  const writeShard = async (write: ShardWrite): Promise<void> => {
    if (write.kind !== 'delete') return put(SHARD_FACTS, source.shards, write.spec);
    check();
    const entry = source.shards.items().get(write.version.name);
    if (entry !== undefined) await deleteFact(client, SHARD_FACTS, write.version.name, entry);
  };

  return {
    network: async (spec) => {
      const entry = source.networks.items().get(NETWORK_NAME);
      if (entry !== undefined && isDeepStrictEqual({ ...spec, uid: entry.uid }, entry.value)) return 0;
      await put(NETWORK_FACTS, source.networks, spec);
      return 1;
    },
    hosts: async (facts) => {
      const wanted = new Set(facts.map(({ name }) => name));
      const changed = facts.filter(
        (fact) => !isDeepStrictEqual(fact, source.hosts.items().get(fact.name)?.value),
      );
      const reportless = facts.filter(({ name }) => !source.reports.items().has(name));
      const gone = [...source.hosts.items().values()].filter(({ value }) => !wanted.has(value.name));
      const goneReports = [...source.reports.items().values()].filter(({ value }) => !wanted.has(value.host));
      return all([
        ...changed.map((fact) => () => put(HOST_FACTS, source.hosts, fact)),
        ...reportless.map(
          ({ name }) =>
            () =>
              makeReport(name),
        ),
        ...gone.map((entry) => async () => {
          check();
          await deleteFact(client, HOST_FACTS, entry.name, entry);
        }),
        ...goneReports.map((entry) => async () => {
          check();
          await deleteReport(client, entry.value.host, entry);
        }),
      ]);
    },
    shards: (plan) => all(shardWrites(plan, source.shards.values()).map((write) => () => writeShard(write))),
  };

  async function makeReport(host: HostName): Promise<void> {
    check();
    source.reports.accept(await createReport(client, host));
  }
}

const AT_ONCE = 8;

/** A few at a time; the first failure is thrown after those under way have ended. */
async function all(writes: readonly (() => Promise<void>)[]): Promise<number> {
  for (let start = 0; start < writes.length; start += AT_ONCE) {
    const results = await Promise.allSettled(writes.slice(start, start + AT_ONCE).map((write) => write()));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
  return writes.length;
}
