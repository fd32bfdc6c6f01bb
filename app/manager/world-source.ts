// What the manager sees: one watch for each kind, and nothing until each has delivered its first complete list (invariant 1).
import type { HostFact, NetworkFact, ShardFact } from '../domain/facts.ts';
import type { BlockAffinity, EndpointSlice, IpamBlock, Node, Service, World } from '../domain/world.ts';
import type { Prefix } from '../domain/ip.ts';
import type { UnreadKind } from '../domain/unread-kinds.ts';
import { isForbidden, isNotFound } from '../kubernetes/api-error.ts';
import type { Client } from '../kubernetes/client.ts';
import { blockAffinityReader } from '../kubernetes/read-block-affinity.ts';
import { endpointSliceReader } from '../kubernetes/read-endpoint-slice.ts';
import { hostReader, networkReader, shardReader } from '../kubernetes/read-facts.ts';
import { ipPoolReader } from '../kubernetes/read-ip-pool.ts';
import { ipamBlockReader } from '../kubernetes/read-ipam-block.ts';
import { nodeReader } from '../kubernetes/read-node.ts';
import { policyReader, type StoredPolicy } from '../kubernetes/read-policy.ts';
import { reportReader, type StoredReport } from '../kubernetes/read-report.ts';
import { serviceReader } from '../kubernetes/read-service.ts';
import {
  BLOCK_AFFINITIES,
  ENDPOINT_SLICES,
  HOSTS,
  IP_POOLS,
  IPAM_BLOCKS,
  NETWORKS,
  NODES,
  POLICIES,
  REPORTS,
  SERVICES,
  resourceName,
  SHARDS,
  type Resource,
} from '../kubernetes/resources.ts';
import type { Reader } from '../kubernetes/schema.ts';
import { WatchCache, type WatchCacheOptions } from '../kubernetes/watch-cache.ts';
import { describeError, type WorldError } from '../runtime/errors.ts';
import type { Part } from '../runtime/liveness.ts';

export type WatchCallbacks = Pick<WatchCacheOptions<unknown>, 'clock' | 'onChange' | 'onFailure' | 'onBug'>;

/** The caches of everything the manager reads, its own facts among them. */
export interface WorldSource {
  readonly policies: WatchCache<StoredPolicy>;
  readonly nodes: WatchCache<Node>;
  readonly networks: WatchCache<NetworkFact>;
  readonly hosts: WatchCache<HostFact>;
  readonly shards: WatchCache<ShardFact>;
  readonly reports: WatchCache<StoredReport>;
  /** The world as it is now; undefined until all watches are in sync. */
  world(): World | undefined;
  /** Kinds that have never been listed in full, once that has failed: they are what `world` waits for. */
  unread(): UnreadKind[];
  /** Objects that are there and cannot be read: their last readable value counts. */
  unreadable(): { readonly kind: string; readonly name: string; readonly message: string }[];
  readonly parts: readonly Part[];
  start(): void;
  stop(): Promise<void>;
}

export interface WorldCallbacks extends WatchCallbacks {
  /** A host's report changed; `onChange` is not called for it. */
  readonly onReport: () => void;
}

export function worldSource(client: Client, { onReport, ...callbacks }: WorldCallbacks): WorldSource {
  const caches: { readonly resource: Resource; readonly cache: WatchCache<unknown> }[] = [];
  const watch = <T>(
    resource: Resource,
    read: Reader<T>,
    special: Partial<Pick<WatchCacheOptions<T>, 'significant' | 'onChange'>> = {},
  ): WatchCache<T> => {
    const onFailure: WatchCallbacks['onFailure'] = (error, retryMs) => {
      callbacks.onFailure(error, retryMs);
      // That nothing can be planned has to be said.
      if (!cache.synced) callbacks.onChange();
    };
    const cache = new WatchCache<T>({ client, resource, read, ...callbacks, onFailure, ...special });
    caches.push({ resource, cache: cache as WatchCache<unknown> });
    return cache;
  };
  const policies = watch(POLICIES, policyReader(), { significant: ({ policy }) => policy });
  const services = watch<Service>(SERVICES, serviceReader());
  const slices = watch<EndpointSlice>(ENDPOINT_SLICES, endpointSliceReader());
  const nodes = watch<Node>(NODES, nodeReader());
  const blocks = watch<IpamBlock>(IPAM_BLOCKS, ipamBlockReader());
  const affinities = watch<BlockAffinity>(BLOCK_AFFINITIES, blockAffinityReader());
  const pools = watch<Prefix>(IP_POOLS, ipPoolReader());
  return {
    policies,
    nodes,
    networks: watch(NETWORKS, networkReader()),
    hosts: watch(HOSTS, hostReader()),
    shards: watch(SHARDS, shardReader()),
    reports: watch(REPORTS, reportReader(), { onChange: onReport }),
    world: () =>
      caches.every(({ cache }) => cache.synced)
        ? {
            policies: policies.values().map(({ policy }) => policy),
            services: services.values(),
            slices: slices.values(),
            nodes: nodes.values(),
            blocks: blocks.values(),
            affinities: affinities.values(),
            pools: pools.values(),
          }
        : undefined,
    unread: () =>
      caches.flatMap(({ resource, cache: { synced, failure } }) =>
        synced || failure === undefined ? [] : [unreadKind(resource, failure)],
      ),
    unreadable: () =>
      caches.flatMap(({ resource: { kind }, cache }) =>
        [...cache.unreadable()].map(([name, message]) => ({ kind, name, message })),
      ),
    get parts() {
      return caches.map(({ resource, cache }) => ({
        name: `the watch of ${resource.plural}`,
        stillMs: () => cache.stillMs(),
      }));
    },
    start: () => caches.forEach(({ cache }) => cache.start()),
    stop: async () => {
      await Promise.all(caches.map(({ cache }) => cache.stop()));
    },
  };
}

function unreadKind(resource: Resource, error: WorldError): UnreadKind {
  const why = isNotFound(error) ? 'missing' : isForbidden(error) ? 'forbidden' : 'failing';
  return { resource: resourceName(resource), why, reason: describeError(error) };
}
