// A cluster in memory for tests of the manager: the seed's hosts and kube-dns as API objects, hosts that answer when a test says
// so, and the manager's view of it all.
import { worldSource, type WorldSource } from '../../app/manager/world-source.ts';
import {
  ENDPOINT_SLICES,
  IP_POOLS,
  IPAM_BLOCKS,
  NODES,
  POLICIES,
  REPORTS,
  SERVICES,
  SHARDS,
} from '../../app/kubernetes/resources.ts';
import { fakeApi, type FakeApi, type FakeObject } from './fake-api.ts';
import {
  endpointSliceObject,
  ipamBlockObject,
  ipPoolObject,
  nodeObject,
  nodeStatus,
  policyObject,
  serviceObject,
  type RowText,
} from './kubernetes-objects.ts';
import { KUBE_DNS_ENDPOINTS, KUBE_DNS_PORTS, SEED_HOSTS } from './three-hosts.ts';
import { until } from './until.ts';
import { virtualClock, type VirtualClock } from './virtual-clock.ts';

export interface ManagerCluster {
  readonly api: FakeApi;
  readonly clock: VirtualClock;
  readonly source: WorldSource;
  /** Writes since the last call, sorted: they may be made together. */
  written(): string[];
  policy(name: string, rows?: readonly RowText[]): FakeObject;
  /** kube-dns, with a pod on each controller. */
  kubeDns(): void;
  /** These hosts, or all, say that they have all shards as they stand. */
  answer(...hosts: readonly string[]): void;
  /** `udp/53 enforce`, ... of the only shard. */
  stages(): string[];
  /** Resolves when the manager's caches have what the API has. */
  caughtUp(): Promise<void>;
  stop(): Promise<void>;
}

/** Nodes, blocks and a pool are there; the caches are not started. */
export function managerCluster(): ManagerCluster {
  const api = fakeApi();
  const clock = virtualClock();
  let seen = 0;
  api.put(IP_POOLS, ipPoolObject('default-ipv4-ippool', '172.16.0.0/16'));
  for (const { name, address, block } of SEED_HOSTS) {
    api.put(NODES, { ...nodeObject(name), ...nodeStatus([address]) });
    api.put(IPAM_BLOCKS, ipamBlockObject(block, name));
  }
  const source = worldSource(api.client, {
    clock,
    onChange: () => undefined,
    onReport: () => undefined,
    onFailure: (error) => {
      throw error;
    },
    onBug: (error) => {
      throw error;
    },
  });
  return {
    api,
    clock,
    source,
    written: () => {
      const writes = api.writes.slice(seen).map(({ what }) => what);
      seen = api.writes.length;
      return writes.sort();
    },
    policy: (name, rows) => api.put(POLICIES, policyObject(name, rows)),
    kubeDns: () => {
      api.put(SERVICES, serviceObject('kube-system', 'kube-dns', KUBE_DNS_PORTS));
      api.put(
        ENDPOINT_SLICES,
        endpointSliceObject({
          namespace: 'kube-system',
          name: 'kube-dns-x',
          service: 'kube-dns',
          ports: KUBE_DNS_PORTS,
          endpoints: KUBE_DNS_ENDPOINTS,
        }),
      );
    },
    answer: (...hosts) => {
      const loaded = api
        .all(SHARDS)
        .map(({ metadata: { name, uid, generation } }) => ({ name, uid, generation }));
      for (const name of hosts.length > 0 ? hosts : SEED_HOSTS.map((host) => host.name))
        api.put(REPORTS, { metadata: { name }, status: reportStatus(loaded) });
    },
    stages: () =>
      api
        .all(SHARDS)
        .flatMap(({ spec }) => (spec as { stages: { port: string; stage: string }[] }).stages)
        .map(({ port, stage }) => `${port} ${stage}`),
    caughtUp: async () => {
      if (source.world() === undefined) source.start();
      const marker = api.put(NODES, { metadata: { name: 'marker' }, spec: { seen: api.writes.length } });
      await until('the first lists are there', () => source.world() !== undefined);
      await until(
        'the last change is seen',
        () => source.nodes.items().get('marker')?.resourceVersion === marker.metadata.resourceVersion,
      );
      api.remove(NODES, 'marker');
      await until('the marker is gone', () => !source.nodes.items().has('marker'));
      // Other kinds have watches of their own.
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
    stop: () => source.stop(),
  };
}

function reportStatus(loaded: readonly object[]): object {
  return {
    networkUid: 'uid-network',
    loaded,
    problems: [],
    peersNotReached: [],
    counters: { connections: 0, flows: 0, flowsInForce: 0, childSas: 0 },
    guard: { mode: 'enforce', state: 'enforce', rows: 1, holding: 1, repairs: 0, lastRepair: '' },
    charonVersion: '5.9.8',
  };
}
