// The watch cache against a real API server that restarts, forgets and falls silent.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { HostFact } from '../../app/domain/facts.ts';
import type { Node } from '../../app/domain/world.ts';
import { ApiError, isExpired, isNotFound } from '../../app/kubernetes/api-error.ts';
import { Client } from '../../app/kubernetes/client.ts';
import { hostReader } from '../../app/kubernetes/read-facts.ts';
import { nodeReader } from '../../app/kubernetes/read-node.ts';
import { HOSTS, NODES } from '../../app/kubernetes/resources.ts';
import { WatchCache, type WatchCacheOptions } from '../../app/kubernetes/watch-cache.ts';
import { systemClock } from '../../app/runtime/clock.ts';
import type { WorldError } from '../../app/runtime/errors.ts';
import { nodeObject, nodeStatus } from '../support/kubernetes-objects.ts';
import { pausableClock } from '../support/pausable-clock.ts';
import { startSilentProxy, type SilentProxy } from '../support/silent-proxy.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { until } from '../support/until.ts';

interface Watched<T> {
  readonly cache: WatchCache<T>;
  readonly client: Client;
  readonly failures: WorldError[];
  readonly bugs: unknown[];
  notifications(): number;
}

describe('WatchCache', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let proxy: SilentProxy | undefined;
  const running: { readonly cache: { stop(): Promise<void> } }[] = [];

  before(async () => {
    cluster = await startTestCluster();
  });
  after(async () => {
    await cluster.stop();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map(({ cache }) => cache.stop()));
    await proxy?.stop();
    proxy = undefined;
    for (const { metadata } of (await cluster.admin.list(HOSTS, {})).items as {
      metadata: { name: string };
    }[])
      await cluster.admin.delete(HOSTS, { name: metadata.name });
  });

  const watch = <T>(
    options: Pick<WatchCacheOptions<T>, 'resource' | 'read'> & Partial<WatchCacheOptions<T>>,
    kubeconfig = cluster.adminKubeconfig,
  ): Watched<T> => {
    let count = 0;
    const client = new Client({ kubeconfig });
    const failures: WorldError[] = [];
    const bugs: unknown[] = [];
    const cache = new WatchCache<T>({
      client,
      clock: systemClock,
      onChange: () => (count += 1),
      onFailure: (error) => failures.push(error),
      onBug: (error) => bugs.push(error),
      maxBackoffMs: 1000,
      ...options,
    });
    const watched = { cache, client, failures, bugs, notifications: () => count };
    running.push(watched);
    cache.start();
    return watched;
  };
  const watchHosts = (options: Partial<WatchCacheOptions<HostFact>> = {}): Watched<HostFact> =>
    watch({ resource: HOSTS, read: hostReader(), ...options });
  const createHost = (name: string, prefixes: string[] = []): Promise<unknown> =>
    cluster.admin.create(HOSTS, { metadata: { name }, spec: { addresses: [], prefixes } });
  const names = <T>({ cache }: Watched<T>): string[] => [...cache.items().keys()].sort();

  it('lists in pages, then says that it is in sync, once', async () => {
    await Promise.all(Array.from({ length: 7 }, (_, i) => createHost(`host-${i}`)));
    const hosts = watchHosts({ pageSize: 3 });
    expect(hosts.cache.synced).to.equal(false);
    await until('in sync', () => hosts.cache.synced);
    expect(names(hosts)).to.have.length(7);
    expect(hosts.notifications()).to.equal(1);
    expect(hosts.client.sent.get('list ipsechosts')).to.equal(3);
  });

  it('is in sync with an empty collection', async () => {
    const hosts = watchHosts();
    await until('in sync', () => hosts.cache.synced);
    expect(hosts.notifications()).to.equal(1);
    expect(names(hosts)).to.deep.equal([]);
  });

  it('sees what is added, changed and removed, with the version that a write needs', async () => {
    const hosts = watchHosts();
    await until('in sync', () => hosts.cache.synced);
    await createHost('worker-0', ['172.16.0.0/26']);
    await until('it is there', () => hosts.cache.items().has('worker-0'));
    expect(hosts.cache.values()).to.deep.equal([
      { name: 'worker-0', addresses: [], prefixes: ['172.16.0.0/26'] },
    ]);
    const changed = await cluster.admin.mergePatch(
      HOSTS,
      { name: 'worker-0' },
      { spec: { prefixes: ['10.0.0.0/8'] } },
    );
    await until('it has changed', () => hosts.cache.values()[0]?.prefixes[0] === '10.0.0.0/8');
    const { metadata } = changed as { metadata: { resourceVersion: string; uid: string } };
    const { resourceVersion, uid, generation } = hosts.cache.items().get('worker-0')!;
    expect({ resourceVersion, uid, generation }).to.deep.equal({
      resourceVersion: metadata.resourceVersion,
      uid: metadata.uid,
      generation: 2,
    });
    await cluster.admin.delete(HOSTS, { name: 'worker-0' });
    await until('it is gone', () => hosts.cache.items().size === 0);
    expect(hosts.notifications()).to.equal(4);
    expect(hosts.failures).to.deep.equal([]);
  });

  it('does not notify of a heartbeat, and still knows the newest version', async () => {
    await cluster.admin.create(NODES, nodeObject('worker-9'));
    const status = { name: 'worker-9', subresource: 'status' } as const;
    await cluster.admin.mergePatch(NODES, status, nodeStatus(['192.168.206.9']));
    const nodes = watch<Node>({ resource: NODES, read: nodeReader() });
    await until('in sync', () => nodes.cache.synced);
    const heartbeat = { status: { nodeInfo: { kernelVersion: '6.12' } } };
    const beaten = await cluster.admin.mergePatch(NODES, status, heartbeat);
    const { resourceVersion } = (beaten as { metadata: { resourceVersion: string } }).metadata;
    await until('seen', () => nodes.cache.items().get('worker-9')?.resourceVersion === resourceVersion);
    expect(nodes.notifications()).to.equal(1);
    await cluster.admin.mergePatch(NODES, status, nodeStatus(['192.168.206.9'], false));
    await until('not ready', () => nodes.cache.values()[0]?.ready === false);
    expect(nodes.notifications()).to.equal(2);
  });

  it('keeps the last readable value of an object that has become unreadable, and says so', async () => {
    await createHost('worker-0', ['172.16.0.0/26']);
    const hosts = watchHosts();
    await until('in sync', () => hosts.cache.synced);
    await cluster.admin.mergePatch(HOSTS, { name: 'worker-0' }, { spec: { prefixes: ['172.16.0.1/26'] } });
    await until('unreadable', () => hosts.cache.unreadable().size === 1);
    expect(hosts.cache.unreadable().get('worker-0')).to.equal(
      '"172.16.0.1/26" is not a prefix with zero host bits',
    );
    expect(hosts.cache.values()[0]?.prefixes).to.deep.equal(['172.16.0.0/26']);
    await cluster.admin.mergePatch(HOSTS, { name: 'worker-0' }, { spec: { prefixes: [] } });
    await until('readable again', () => hosts.cache.unreadable().size === 0);
    expect(hosts.notifications()).to.equal(3);
  });

  it('takes in the answer to a write at once, and is not put back by the older event', async () => {
    await createHost('worker-0');
    const hosts = watchHosts();
    await until('in sync', () => hosts.cache.synced);
    await cluster.admin.mergePatch(HOSTS, { name: 'worker-0' }, { spec: { prefixes: ['10.1.0.0/16'] } });
    const last = await cluster.admin.mergePatch(
      HOSTS,
      { name: 'worker-0' },
      { spec: { prefixes: ['10.2.0.0/16'] } },
    );
    hosts.cache.accept(last);
    expect(hosts.cache.values()[0]?.prefixes).to.deep.equal(['10.2.0.0/16']);
    await createHost('worker-1');
    await until('later events have come', () => hosts.cache.items().has('worker-1'));
    expect(hosts.cache.values()[0]?.prefixes).to.deep.equal(['10.2.0.0/16']);
  });

  it('goes on after the API server was restarted, keeping what it knew', async () => {
    await createHost('worker-0');
    const hosts = watchHosts();
    await until('in sync', () => hosts.cache.synced);
    await cluster.stopApiServer();
    await until('noticed', () => hosts.failures.length > 0);
    expect(hosts.cache.synced).to.equal(true);
    expect(names(hosts)).to.deep.equal(['worker-0']);
    await cluster.restartApiServer();
    await createHost('worker-1');
    await until('it goes on', () => hosts.cache.items().has('worker-1'));
    expect(hosts.bugs).to.deep.equal([]);
  });

  it('goes back with a server that was restored from a snapshot, and follows it from there', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
    await createHost('worker-0');
    const hosts = watchHosts({ minBackoffMs: 10_000, maxBackoffMs: 10_000, random: () => 1 });
    await until('in sync', () => hosts.cache.items().has('worker-0'));
    await cluster.saveSnapshot(join(folder, 'snapshot.db'));
    const patch = (prefix: string): Promise<unknown> =>
      cluster.admin.mergePatch(HOSTS, { name: 'worker-0' }, { spec: { prefixes: [prefix] } });
    // Far ahead: what is written after the restore is older for a while.
    for (let subnet = 1; subnet <= 50; subnet += 1) await patch(`10.${subnet}.0.0/16`);
    const has = (prefix: string | undefined): boolean => hosts.cache.values()[0]?.prefixes[0] === prefix;
    await until('the last one has come', () => has('10.50.0.0/16'));
    // One failure, so that the watch is taken up where it was.
    await cluster.restoreSnapshot(join(folder, 'snapshot.db'));
    await until('it knows what was restored', () => has(undefined), 30_000);
    await patch('10.77.0.0/16');
    await until('it follows', () => has('10.77.0.0/16'));
    expect(hosts.failures.length, 'more would have made it begin with a list').to.be.at.most(2);
    rmSync(folder, { recursive: true });
  });

  it('lists again when the server has forgotten its version, and misses no removal', async () => {
    await createHost('worker-0');
    await createHost('worker-1');
    // It tries again when the server is back and not before, however long that takes: more failures would make it list anyway.
    const clock = pausableClock();
    const hosts = watchHosts({ clock });
    await until('in sync', () => hosts.cache.synced);
    clock.pause();
    await cluster.stopApiServer();
    await until('noticed', () => hosts.failures.length > 0);
    const etcd = (...args: string[]): string =>
      execFileSync('etcdctl', [`--endpoints=${cluster.etcdUrl}`, ...args], {
        env: { ...process.env, ETCDCTL_API: '3' },
        encoding: 'utf8',
      });
    etcd('del', '/registry/starlingx.io/ipsechosts/worker-0');
    for (let i = 0; i < 5; i += 1) etcd('put', '/registry/starlingx.io/other', String(i));
    const { revision } = (
      JSON.parse(etcd('get', '/registry/starlingx.io/other', '-w', 'json')) as {
        header: { revision: number };
      }
    ).header;
    etcd('compaction', String(revision));
    await cluster.restartApiServer();
    clock.resume();
    await until('the removal is seen', () => !hosts.cache.items().has('worker-0'));
    expect(names(hosts)).to.deep.equal(['worker-1']);
    expect(hosts.failures.some(isExpired)).to.equal(true);
    // The first, the question whether the server was restored, and the one that was needed.
    expect(hosts.client.sent.get('list ipsechosts')).to.equal(3);
  });

  it('notices a watch that is dead without being closed', async () => {
    proxy = await startSilentProxy(cluster.url);
    const kubeconfig = proxy.kubeconfig(cluster.adminKubeconfig);
    const hosts = watch<HostFact>({ resource: HOSTS, read: hostReader(), silenceMs: 1500 }, kubeconfig);
    await until('in sync', () => hosts.cache.synced);
    await createHost('worker-0');
    await until('it watches', () => hosts.cache.items().has('worker-0'));
    proxy.silence();
    await createHost('worker-1');
    await until('it has found another way', () => hosts.cache.items().has('worker-1'));
    expect(hosts.failures.map(reasonOf)).to.include('NoAnswer');
  });

  it('hands an error of its handler to onBug and ends', async () => {
    const hosts = watchHosts({
      onChange: () => {
        throw new RangeError('handler');
      },
    });
    await until('it is told', () => hosts.bugs.length > 0);
    expect(hosts.bugs[0]).to.be.instanceOf(RangeError);
    expect(hosts.failures).to.deep.equal([]);
  });

  it('waits with backoff for a kind that is not there yet', async () => {
    const resource = { ...HOSTS, plural: 'ipsecnothings' };
    const nothing = watch<HostFact>({ resource, read: hostReader(), minBackoffMs: 1 });
    await until('it has tried three times', () => nothing.failures.length >= 3);
    expect(nothing.cache.synced).to.equal(false);
    expect(nothing.failures.every(isNotFound)).to.equal(true);
  });

  it('stops while it is watching and while it is waiting', async () => {
    const hosts = watchHosts();
    await until('in sync', () => hosts.cache.synced);
    await hosts.cache.stop();
    const resource = { ...HOSTS, plural: 'ipsecnothings' };
    const nothing = watch<HostFact>({
      resource,
      read: hostReader(),
      minBackoffMs: 60_000,
      maxBackoffMs: 60_000,
    });
    await until('it waits', () => nothing.failures.length === 1);
    await nothing.cache.stop();
    expect(hosts.failures).to.deep.equal([]);
  });
});

function reasonOf(error: WorldError): string {
  return error instanceof ApiError ? error.reason : error.name;
}
