// The facts an agent plans from: three watches, and nothing until each has delivered its first complete list and the
// network is known (invariant 1). What was once known stays while the API server is away.
import type { Facts, HostFact, NetworkFact, ShardFact } from '../domain/facts.ts';
import type { Problem } from '../domain/problem.ts';
import type { Client } from '../kubernetes/client.ts';
import { hostReader, networkReader, shardReader } from '../kubernetes/read-facts.ts';
import { HOSTS, NETWORKS, SHARDS } from '../kubernetes/resources.ts';
import { WatchCache, type WatchCacheOptions } from '../kubernetes/watch-cache.ts';
import { retainShards } from './retained-shards.ts';

export type WatchCallbacks = Pick<WatchCacheOptions<unknown>, 'clock' | 'onChange' | 'onFailure' | 'onBug'>;

export interface FactsSource {
  /** Undefined while nothing may be planned. */
  current(): { readonly facts: Facts; readonly problems: readonly Problem[] } | undefined;
  start(): void;
  stop(): Promise<void>;
}

export function factsSource(client: Client, callbacks: WatchCallbacks): FactsSource {
  const networks = new WatchCache<NetworkFact>({
    client,
    resource: NETWORKS,
    read: networkReader(),
    ...callbacks,
  });
  const hosts = new WatchCache<HostFact>({ client, resource: HOSTS, read: hostReader(), ...callbacks });
  const shards = new WatchCache<ShardFact>({ client, resource: SHARDS, read: shardReader(), ...callbacks });
  const caches = [networks, hosts, shards];
  let known: { readonly networkUid: string; readonly shards: readonly ShardFact[] } | undefined;

  return {
    current: () => {
      const [network] = networks.values();
      if (network === undefined || !caches.every((cache) => cache.synced)) return undefined;
      const before = known?.networkUid === network.uid ? known.shards : [];
      const retained = retainShards(before, shards.values());
      known = { networkUid: network.uid, shards: retained.shards };
      return {
        facts: { network, hosts: hosts.values(), shards: retained.shards },
        problems: retained.problems,
      };
    },
    start: () => caches.forEach((cache) => cache.start()),
    stop: async () => {
      await Promise.all(caches.map((cache) => cache.stop()));
    },
  };
}
