// The facts an agent plans from: three watches, and nothing until each has delivered its first complete list and the
// network is known (invariant 1). What was once known stays while the API server is away.
import type { Facts, HostFact, HostName, NetworkFact, ShardFact } from '../domain/facts.ts';
import { compareProblems, type Problem } from '../domain/problem.ts';
import type { Client } from '../kubernetes/client.ts';
import { hostReader, networkReader, shardReader } from '../kubernetes/read-facts.ts';
import { HOSTS, NETWORKS, SHARDS } from '../kubernetes/resources.ts';
import { WatchCache, type WatchCacheOptions } from '../kubernetes/watch-cache.ts';
import type { Part } from '../runtime/liveness.ts';
import { NO_HOSTS, retainHosts, type RetainedHosts } from './retained-hosts.ts';
import { retainShards } from './retained-shards.ts';

export type WatchCallbacks = Pick<WatchCacheOptions<unknown>, 'clock' | 'onChange' | 'onFailure' | 'onBug'>;

export interface KnownFacts {
  /**
   * Absent when this agent has planned nothing yet and one of the facts cannot be read: what an earlier agent loaded for its
   * sake would be removed.
   */
  readonly facts?: Facts;
  /** What is wrong with the facts, sorted; to be reported. */
  readonly problems: readonly Problem[];
}

export interface FactsSource {
  /** Undefined while nothing is known. */
  current(): KnownFacts | undefined;
  /** True from the first complete list of each kind on. */
  isSynced(): boolean;
  readonly parts: readonly Part[];
  start(): void;
  stop(): Promise<void>;
}

/** What was planned from last. */
interface Known {
  readonly networkUid: string;
  readonly hosts: RetainedHosts;
  readonly shards: readonly ShardFact[];
}

const NOTHING_KNOWN = { hosts: NO_HOSTS, shards: [] };

export function factsSource(client: Client, self: HostName, callbacks: WatchCallbacks): FactsSource {
  const networks = new WatchCache<NetworkFact>({
    client,
    resource: NETWORKS,
    read: networkReader(),
    ...callbacks,
  });
  const hosts = new WatchCache<HostFact>({ client, resource: HOSTS, read: hostReader(), ...callbacks });
  const shards = new WatchCache<ShardFact>({ client, resource: SHARDS, read: shardReader(), ...callbacks });
  const caches: readonly AnyCache[] = [networks, hosts, shards];
  let known: Known | undefined;

  const isSynced = (): boolean => caches.every((cache) => cache.synced);
  return {
    isSynced,
    parts: [
      { name: 'the watch of ipsecnetworks', stillMs: () => networks.stillMs() },
      { name: 'the watch of ipsechosts', stillMs: () => hosts.stillMs() },
      { name: 'the watch of ipsecservices', stillMs: () => shards.stillMs() },
    ],
    current: () => {
      if (!isSynced()) return undefined;
      const [network] = networks.values();
      const unreadable = caches.flatMap(unreadableProblems);
      if (known?.networkUid !== network?.uid && caches.some(isIncomplete))
        return { problems: unreadable.sort(compareProblems) };
      if (network === undefined) return undefined;
      const before = known?.networkUid === network.uid ? known : NOTHING_KNOWN;
      const nowMs = callbacks.clock.monotonic();
      const all = retainHosts(before.hosts, hosts.values(), { self, nowMs });
      const retained = retainShards(before.shards, shards.values());
      known = { networkUid: network.uid, hosts: all, shards: retained.shards };
      return {
        facts: { network, hosts: all.hosts, shards: retained.shards },
        problems: [...unreadable, ...all.problems, ...retained.problems].sort(compareProblems),
      };
    },
    start: () => caches.forEach((cache) => cache.start()),
    stop: async () => {
      await Promise.all(caches.map((cache) => cache.stop()));
    },
  };
}

type AnyCache = Pick<WatchCache<unknown>, 'synced' | 'items' | 'unreadable' | 'start' | 'stop'>;

/** Something is there of which nothing is known, not even an earlier state. */
function isIncomplete(cache: AnyCache): boolean {
  return [...cache.unreadable().keys()].some((name) => !cache.items().has(name));
}

function unreadableProblems(cache: AnyCache): Problem[] {
  return [...cache.unreadable()].map(([name, message]) => ({
    reason: 'FactsUnreadable',
    subject: name,
    message: `the agent cannot read this object (${message}); what is in force stays. Update the agent, or delete the object so that the manager makes it anew`,
  }));
}
