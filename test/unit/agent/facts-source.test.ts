import { expect } from 'chai';
import { factsSource, type FactsSource } from '../../../app/agent/facts-source.ts';
import { HOSTS, NETWORKS, SHARDS } from '../../../app/kubernetes/resources.ts';
import { HOST_FACTS, NETWORK_FACTS, SHARD_FACTS } from '../../../app/kubernetes/fact-objects.ts';
import { fakeApi, type FakeApi } from '../../support/fake-api.ts';
import { CONTROLLER_0, kubeDns, network, SEED_HOSTS } from '../../support/facts-builders.ts';
import { virtualClock, type VirtualClock } from '../../support/virtual-clock.ts';
import { until } from '../../support/until.ts';

describe('factsSource', () => {
  let api: FakeApi;
  let source: FactsSource;
  let clock: VirtualClock;
  let changes: number;

  const putNetwork = (): unknown =>
    api.put(NETWORKS, { metadata: { name: 'cluster' }, spec: NETWORK_FACTS.spec(network()) });
  const putHosts = (): void => {
    for (const host of SEED_HOSTS)
      api.put(HOSTS, { metadata: { name: host.name }, spec: HOST_FACTS.spec(host) });
  };
  const putShard = (changesOf: Parameters<typeof kubeDns>[0] = {}): void => {
    const shard = kubeDns(changesOf);
    api.put(SHARDS, { metadata: { name: shard.version.name }, spec: SHARD_FACTS.spec(shard) });
  };
  const spoil = (): unknown =>
    api.put(SHARDS, { metadata: { name: 'kube-system.kube-dns.0' }, spec: { stages: 'of tomorrow' } });
  const shardNames = (): string[] | undefined =>
    source.current()?.facts?.shards.map(({ version }) => version.name);
  const reasons = (): string[] => source.current()?.problems.map(({ reason }) => reason) ?? [];

  beforeEach(() => {
    api = fakeApi();
    changes = 0;
    clock = virtualClock();
    source = factsSource(api.client, CONTROLLER_0, {
      clock,
      onChange: () => {
        changes += 1;
      },
      onFailure: () => undefined,
      onBug: (error) => {
        throw error;
      },
    });
  });

  afterEach(async () => source.stop());

  it('knows nothing before it is started, then all at once', async () => {
    putNetwork();
    putHosts();
    putShard();
    expect(source.current()).to.equal(undefined);
    source.start();
    await until('facts are known', () => source.current() !== undefined);
    expect(source.current()?.facts?.hosts).to.have.length(3);
    expect(shardNames()).to.deep.equal(['kube-system.kube-dns.0']);
    expect(reasons()).to.deep.equal([]);
  });

  for (const missing of ['ipsecnetworks', 'ipsechosts', 'ipsecservices'])
    it(`knows nothing before the first list of ${missing}, though all else is there`, async () => {
      putNetwork();
      putHosts();
      putShard();
      const heal = api.fail(`list ${missing}`, { status: 503, reason: 'ServiceUnavailable' });
      source.start();
      await until('the other lists are there', () => changes >= 2);
      expect(source.current()).to.equal(undefined);
      heal();
      await clock.advance(1000);
      await until('facts are known', () => source.current()?.facts !== undefined);
      expect(shardNames()).to.have.length(1);
    });

  it('knows nothing without a network, even when everything else is there', async () => {
    putHosts();
    putShard();
    source.start();
    await until('a list came', () => changes >= 3);
    expect(source.current()).to.equal(undefined);
    putNetwork();
    await until('facts are known', () => source.current() !== undefined);
  });

  it('keeps a shard that vanishes while it is in force, and says so, until it is back', async () => {
    putNetwork();
    putHosts();
    putShard();
    source.start();
    await until('facts are known', () => source.current() !== undefined);
    api.remove(SHARDS, 'kube-system.kube-dns.0');
    await until('it is missed', () => reasons().includes('FactsVanished'));
    expect(shardNames()).to.deep.equal(['kube-system.kube-dns.0']);
    putShard({ stage: 'release' });
    await until('it is back', () => reasons().length === 0);
    expect(source.current()?.facts?.shards[0]?.stages[0]?.stage).to.equal('release');
  });

  it('keeps all hosts when the kind is deleted, and says so', async () => {
    putNetwork();
    putHosts();
    putShard();
    source.start();
    await until('facts are known', () => source.current() !== undefined);
    for (const { name } of SEED_HOSTS.toReversed()) {
      api.remove(HOSTS, name);
      await until('that is seen', () => source.current() !== undefined);
      expect(source.current()?.facts?.hosts).to.have.length(3);
    }
    await until('the own one is missed', () => reasons().includes('FactsVanished'));
    await clock.advance(3_600_000);
    expect(source.current()?.facts?.hosts).to.have.length(3);
  });

  it('drops what vanished when the installation is another one', async () => {
    putNetwork();
    putHosts();
    putShard();
    source.start();
    await until('facts are known', () => source.current() !== undefined);
    api.remove(SHARDS, 'kube-system.kube-dns.0');
    await until('it is missed', () => reasons().includes('FactsVanished'));
    api.remove(NETWORKS, 'cluster');
    await until('the network is gone', () => source.current() === undefined);
    putNetwork();
    await until('another network is there', () => source.current() !== undefined);
    expect([shardNames(), reasons()]).to.deep.equal([[], []]);
  });

  it('gives no facts when one cannot be read and nothing was known before', async () => {
    putNetwork();
    putHosts();
    spoil();
    source.start();
    await until('something is known', () => source.current() !== undefined);
    expect(source.current()?.facts).to.equal(undefined);
    expect(reasons()).to.deep.equal(['FactsUnreadable']);
    putShard();
    await until('facts are known', () => source.current()?.facts !== undefined);
    expect(reasons()).to.deep.equal([]);
  });

  it('goes on with what was read before when one is spoiled, and with the others', async () => {
    putNetwork();
    putHosts();
    putShard();
    source.start();
    await until('facts are known', () => source.current() !== undefined);
    spoil();
    await until('it is noticed', () => reasons().includes('FactsUnreadable'));
    expect(source.current()?.facts?.shards[0]?.endpoints).to.have.length(2);
    api.put(SHARDS, { metadata: { name: 'ns.new.0' }, spec: {} });
    await until('the second one is noticed', () => reasons().length === 2);
    expect(shardNames()).to.deep.equal(['kube-system.kube-dns.0']);
  });
});
