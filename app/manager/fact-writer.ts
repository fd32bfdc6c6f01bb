// Makes the shared facts in the API equal to what they should be: one write for each object that differs, none else. Each
// carries the version it was computed from, and is preceded by a look at the Lease (a paused leader must not write).
import { isDeepStrictEqual } from 'node:util';
import type { HostFact } from '../domain/facts.ts';
import type { NetworkSpec } from '../domain/network.ts';
import { shardWrites, type RollOut, type ShardWrite } from '../domain/roll-out.ts';
import type { ApiError } from '../kubernetes/api-error.ts';
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
import { eachAlone } from './each-alone.ts';
import type { WorldSource } from './world-source.ts';

export interface FactWriterOptions {
  readonly client: Client;
  readonly source: Pick<WorldSource, 'networks' | 'hosts' | 'shards' | 'reports'>;
  /** Throws when this process leads no more. */
  readonly check: () => void;
}

/** How many writes were made, and those that the API server refused. */
export interface Written {
  readonly writes: number;
  readonly refusals: readonly ApiError[];
}

export interface FactWriter {
  network(spec: NetworkSpec): Promise<Written>;
  /** IPsecHost of each, and the empty IPsecHostReport that its agent fills. */
  hosts(facts: readonly HostFact[]): Promise<Written>;
  shards(plan: Pick<RollOut, 'shards' | 'removed'>): Promise<Written>;
}

type Write = () => Promise<void>;

/** Throws when nothing can be written: no answer, or no leader any more. */
export function factWriter({ client, source, check }: FactWriterOptions): FactWriter {
  const put =
    <Stored, Spec>(kind: FactKind<Spec>, cache: WatchCache<Stored>, spec: Spec): Write =>
    async () => {
      const entry = cache.items().get(kind.name(spec));
      cache.accept(
        entry === undefined
          ? await createFact(client, kind, spec)
          : await replaceFact(client, kind, spec, entry),
      );
    };
  const writeAll = async (writes: readonly Write[]): Promise<Written> => {
    const checked = writes.map((write) => async () => {
      check();
      await write();
    });
    const refusals = await eachAlone(checked, AT_ONCE);
    return { writes: writes.length - refusals.length, refusals };
  };

  const shardWrite = (write: ShardWrite): Write => {
    if (write.kind !== 'delete') return put(SHARD_FACTS, source.shards, write.spec);
    const { name } = write.version;
    return async () => {
      const entry = source.shards.items().get(name);
      if (entry !== undefined) await deleteFact(client, SHARD_FACTS, name, entry);
    };
  };

  return {
    network: (spec) => {
      const entry = source.networks.items().get(NETWORK_NAME);
      const isSame = entry !== undefined && isDeepStrictEqual({ ...spec, uid: entry.uid }, entry.value);
      return writeAll(isSame ? [] : [put(NETWORK_FACTS, source.networks, spec)]);
    },
    hosts: (facts) => {
      const { hosts, reports } = source;
      const wanted = new Set(facts.map(({ name }) => name));
      return writeAll([
        ...facts
          .filter((fact) => !isDeepStrictEqual(fact, hosts.items().get(fact.name)?.value))
          .map((fact) => put(HOST_FACTS, hosts, fact)),
        ...facts
          // One that cannot be read is there: its agent will fill it anew.
          .filter(({ name }) => !reports.items().has(name) && !reports.unreadable().has(name))
          .map(
            ({ name }) =>
              async () =>
                reports.accept(await createReport(client, name)),
          ),
        ...[...hosts.items().values()]
          .filter(({ value }) => !wanted.has(value.name))
          .map((entry) => async () => deleteFact(client, HOST_FACTS, entry.name, entry)),
        ...[...reports.items().values()]
          .filter(({ value }) => !wanted.has(value.host))
          .map((entry) => async () => deleteReport(client, entry.value.host, entry)),
      ]);
    },
    shards: (plan) => writeAll(shardWrites(plan, source.shards.values()).map(shardWrite)),
  };
}

const AT_ONCE = 8;
