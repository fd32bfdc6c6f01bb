import { expect } from 'chai';
import {
  DEFAULT_PARAMETERS,
  type NetworkFact,
  type ShardFact,
  type ShardSpec,
} from '../../../app/domain/facts.ts';
import type { NetworkSpec } from '../../../app/domain/network.ts';
import { LeadershipLostError } from '../../../app/kubernetes/lease.ts';
import { HOSTS, NETWORKS, REPORTS, SHARDS } from '../../../app/kubernetes/resources.ts';
import { factWriter, type FactWriter } from '../../../app/manager/fact-writer.ts';
import { managerCluster, type ManagerCluster } from '../../support/manager-cluster.ts';
import { host, kubeDns, network, prefix, SEED_HOSTS } from '../../support/facts-builders.ts';

const NETWORK = withoutUid(network());
const SHARD = withoutVersion(kubeDns());
const ALL = ['controller-0', 'controller-1', 'worker-0'];
const nothingRemoved = (...shards: readonly ShardSpec[]): Parameters<FactWriter['shards']>[0] => ({
  shards,
  removed: [],
});

function withoutUid({ pools, parameters, guardMode }: NetworkFact): NetworkSpec {
  return { pools, parameters, guardMode };
}

function withoutVersion({ version, ...spec }: ShardFact): ShardSpec {
  expect(version.generation).to.equal(1);
  return spec;
}

describe('factWriter', () => {
  let cluster: ManagerCluster;
  let writer: FactWriter;
  /** How many more writes this process may make as the leader. */
  let checks: number;

  beforeEach(async () => {
    cluster = managerCluster();
    checks = Infinity;
    writer = factWriter({
      client: cluster.api.client,
      source: cluster.source,
      check: () => {
        checks -= 1;
        if (checks < 0) throw new LeadershipLostError();
      },
    });
    await cluster.caughtUp();
  });

  afterEach(async () => cluster.stop());

  describe('hosts', () => {
    it('makes each host and its empty report, then writes nothing for the same', async () => {
      expect(await writer.hosts(SEED_HOSTS)).to.deep.equal({ writes: 6, refusals: [] });
      expect(cluster.written()).to.deep.equal([
        ...ALL.map((name) => `create ipsechostreports/${name}`),
        ...ALL.map((name) => `create ipsechosts/${name}`),
      ]);
      expect(await writer.hosts(SEED_HOSTS.toReversed())).to.deep.equal({ writes: 0, refusals: [] });
      await cluster.caughtUp();
      expect(await writer.hosts(SEED_HOSTS)).to.deep.equal({ writes: 0, refusals: [] });
      expect(cluster.written()).to.deep.equal([]);
    });

    it('knows what it wrote before any watch has told it', async () => {
      const release = cluster.api.holdWatches();
      await writer.hosts(SEED_HOSTS);
      expect(await writer.hosts(SEED_HOSTS)).to.deep.equal({ writes: 0, refusals: [] });
      release();
    });

    it('writes the one host that differs, with the version it was computed from', async () => {
      await writer.hosts(SEED_HOSTS);
      const before = cluster.api.get(HOSTS, 'worker-0')!.metadata;
      cluster.written();
      const [first, second] = SEED_HOSTS;
      const changed = host('worker-0', ['192.168.206.66'], ['172.16.43.0/26', '172.16.44.0/26']);
      await writer.hosts([first!, second!, changed]);
      expect(cluster.written()).to.deep.equal(['update ipsechosts/worker-0']);
      const { uid, resourceVersion } = before;
      expect(cluster.api.writes.at(-1)?.body).to.deep.include({
        metadata: { name: 'worker-0', uid, resourceVersion },
      });
    });

    it('deletes a host that is gone, and its report, and exactly those that were read', async () => {
      await writer.hosts(SEED_HOSTS);
      const [fact, report] = [HOSTS, REPORTS].map(
        (resource) => cluster.api.get(resource, 'worker-0')!.metadata,
      );
      cluster.written();
      await writer.hosts(SEED_HOSTS.slice(0, 2));
      expect(cluster.written()).to.deep.equal([
        'delete ipsechostreports/worker-0',
        'delete ipsechosts/worker-0',
      ]);
      const [first, second] = cluster.api.writes.slice(-2);
      expect(first?.body).to.deep.equal({ uid: fact!.uid, resourceVersion: fact!.resourceVersion });
      expect(second?.body).to.deep.equal({ uid: report!.uid });
    });

    it('does not take a successor of the same name for the one that is gone', async () => {
      await writer.hosts(SEED_HOSTS);
      const release = cluster.api.holdWatches();
      cluster.api.remove(HOSTS, 'worker-0');
      cluster.api.put(HOSTS, { metadata: { name: 'worker-0' }, spec: { of: 'another' } });
      const { refusals } = await writer.hosts(SEED_HOSTS.slice(0, 2));
      expect(refusals.map(({ reason, retry }) => [reason, retry])).to.deep.equal([['Conflict', 'soon']]);
      expect(cluster.api.get(HOSTS, 'worker-0')?.spec).to.deep.equal({ of: 'another' });
      release();
    });

    it('leaves a report alone that it never could read', async () => {
      cluster.api.put(REPORTS, { metadata: { name: 'worker-0' }, status: { of: 'another version' } });
      await cluster.caughtUp();
      expect((await writer.hosts(SEED_HOSTS)).refusals).to.deep.equal([]);
      expect(cluster.written().filter((what) => what.includes('reports'))).to.deep.equal([
        'create ipsechostreports/controller-0',
        'create ipsechostreports/controller-1',
      ]);
    });
  });

  describe('network', () => {
    it('is made once, then written when it differs', async () => {
      expect((await writer.network(NETWORK)).writes).to.equal(1);
      expect((await writer.network(NETWORK)).writes).to.equal(0);
      const parameters = { ...DEFAULT_PARAMETERS, caId: 'CN=starlingx' };
      expect((await writer.network({ ...NETWORK, parameters })).writes).to.equal(1);
      expect((await writer.network({ ...NETWORK, parameters })).writes).to.equal(0);
      expect((await writer.network({ ...NETWORK, pools: [prefix('172.17.0.0/16')] })).writes).to.equal(1);
      expect(cluster.written()).to.deep.equal([
        'create ipsecnetworks/cluster',
        'update ipsecnetworks/cluster',
        'update ipsecnetworks/cluster',
      ]);
      expect(cluster.api.get(NETWORKS, 'cluster')?.spec).to.not.have.nested.property('parameters.caId');
    });
  });

  describe('shards', () => {
    it('makes, changes and deletes what the plan says, and nothing for the same plan', async () => {
      expect((await writer.shards(nothingRemoved(SHARD))).writes).to.equal(1);
      expect((await writer.shards(nothingRemoved(SHARD))).writes).to.equal(0);
      expect((await writer.shards(nothingRemoved({ ...SHARD, clusterIps: [] }))).writes).to.equal(1);
      const [stored] = cluster.source.shards.values();
      expect((await writer.shards({ shards: [], removed: [stored!.version] })).writes).to.equal(1);
      expect(cluster.written()).to.deep.equal([
        'create ipsecservices/kube-system.kube-dns.0',
        'delete ipsecservices/kube-system.kube-dns.0',
        'update ipsecservices/kube-system.kube-dns.0',
      ]);
      expect(cluster.api.all(SHARDS)).to.deep.equal([]);
    });

    it('gives a conflict back as something to be tried again', async () => {
      await writer.shards(nothingRemoved(SHARD));
      const release = cluster.api.holdWatches();
      const name = 'kube-system.kube-dns.0';
      cluster.api.put(SHARDS, { metadata: { name }, spec: { of: 'another leader' } });
      const { writes, refusals } = await writer.shards(nothingRemoved({ ...SHARD, clusterIps: [] }));
      expect(writes).to.equal(0);
      expect(refusals.map(({ status, retry }) => [status, retry])).to.deep.equal([[409, 'soon']]);
      expect(cluster.api.get(SHARDS, name)?.spec).to.deep.equal({ of: 'another leader' });
      release();
    });

    it('writes all the others when one is refused', async () => {
      const many = Array.from({ length: 30 }, (_, index) => ({ ...SHARD, service: `svc-${index}` }));
      cluster.api.fail('create ipsecservices/kube-system.svc-3.', { status: 422, reason: 'Invalid' });
      const { writes, refusals } = await writer.shards(nothingRemoved(...many));
      expect([writes, refusals.length, cluster.api.all(SHARDS).length]).to.deep.equal([29, 1, 29]);
    });

    it('stops when the API is not able to answer', async () => {
      const many = Array.from({ length: 30 }, (_, index) => ({ ...SHARD, service: `svc-${index}` }));
      cluster.api.fail('create', { status: 503, reason: 'ServiceUnavailable' });
      const error = await writer.shards(nothingRemoved(...many)).catch((thrown: unknown) => thrown);
      expect(error).to.deep.include({ status: 503, retry: 'soon' });
      expect(cluster.written()).to.have.length(8);
    });
  });

  describe('of a leader that leads no more', () => {
    it('writes nothing', async () => {
      checks = 0;
      for (const attempt of [
        () => writer.network(NETWORK),
        () => writer.hosts(SEED_HOSTS),
        () => writer.shards(nothingRemoved(SHARD)),
      ])
        expect(await attempt().catch((error: unknown) => error)).to.be.instanceOf(LeadershipLostError);
      expect(cluster.written()).to.deep.equal([]);
    });

    it('asks before every single write', async () => {
      checks = 2;
      expect(await writer.hosts(SEED_HOSTS).catch((error: unknown) => error)).to.be.instanceOf(
        LeadershipLostError,
      );
      expect(cluster.written()).to.have.length(2);
    });
  });
});
