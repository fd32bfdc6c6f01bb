// Sequences: what the manager writes step by step, given who reports when.
import { expect } from 'chai';
import type { Address } from '../../../app/domain/ip.ts';
import { resolve } from '../../../app/domain/resolve.ts';
import { rollOut, shardWrites } from '../../../app/domain/roll-out.ts';
import type { World } from '../../../app/domain/world.ts';
import { RollOutCluster } from '../../support/roll-out-cluster.ts';
import {
  address,
  block,
  CONTROLLER_0,
  CONTROLLER_1,
  node,
  oneServiceWorld,
  only,
  policy,
  port,
  service,
  slice,
  WORKER_0,
  world,
} from '../../support/world-builders.ts';

const ON_WORKER = '172.16.43.5' as Address;
const ON_CONTROLLER_1 = '172.16.166.130' as Address;

/** The world with some Nodes changed. */
function withNode(given: World, name: string, change: Parameters<typeof node>[1]): World {
  return { ...given, nodes: given.nodes.map((one) => (one.name === name ? { ...one, ...change } : one)) };
}

function enforced(given: World): RollOutCluster {
  const cluster = new RollOutCluster(given);
  cluster.settle();
  return cluster;
}

describe('a new policy', () => {
  it('goes through prepare, protect, enforce, a step for each round of answers; endpoints first', () => {
    const cluster = new RollOutCluster(oneServiceWorld([ON_WORKER]));
    const seen = Array.from({ length: 6 }, () => {
      cluster.pass();
      cluster.answer();
      return `${cluster.stages()['tcp/53']} ${cluster.endpoints()[ON_WORKER]} ${cluster.writes}`;
    });
    expect(seen).to.deep.equal([
      'prepare pending 1',
      'prepare active 2',
      'protect active 3',
      'enforce active 4',
      'enforce active 4',
      'enforce active 4',
    ]);
  });

  it('waits for the slowest host and names it', () => {
    const cluster = new RollOutCluster(oneServiceWorld([ON_WORKER]));
    cluster.pass();
    cluster.answer().pass();
    const plan = cluster.answer(CONTROLLER_0, WORKER_0).pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'prepare' });
    expect(plan.waiting).to.deep.equal([
      { ...port('tcp/53'), stage: 'prepare', service: 'ns/svc', hosts: [CONTROLLER_1] },
    ]);
    cluster.answer(CONTROLLER_1).pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'protect' });
  });

  it('does not count a report of another generation or of an earlier object of the name', () => {
    const cluster = new RollOutCluster(oneServiceWorld([ON_WORKER]));
    cluster.pass();
    const [standing] = cluster.shards;
    cluster.answer();
    const wrong = { name: 'ns.svc.0', uid: standing?.version.uid ?? '', generation: 7 };
    for (const loaded of [[wrong], [{ ...wrong, generation: 1, uid: 'other' }], []]) {
      cluster.reports = cluster.reports.map((report) => ({ ...report, loaded }));
      cluster.pass();
      expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'pending' });
    }
  });

  it('takes an endpoint up as soon as its own host has reported', () => {
    const cluster = new RollOutCluster(oneServiceWorld([ON_WORKER, ON_CONTROLLER_1]));
    cluster.pass();
    cluster.answer(WORKER_0).pass();
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'active', [ON_CONTROLLER_1]: 'pending' });
  });

  it('without endpoints is enforced at once', () => {
    const cluster = new RollOutCluster(oneServiceWorld([]));
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
  });

  it('for a service that does not exist writes nothing', () => {
    const cluster = new RollOutCluster(world({ policies: [policy('p', ['ns/svc', 'tcp/53'])] }));
    cluster.pass();
    expect(cluster.writes).to.equal(0);
  });

  it('is the same for a leader that takes over in any step', () => {
    const one = new RollOutCluster(oneServiceWorld([ON_WORKER]));
    const two = new RollOutCluster(oneServiceWorld([ON_WORKER]));
    for (let step = 0; step < 5; step += 1) {
      one.answer().pass();
      two.answer().pass();
      two.clock = new RollOutCluster(two.world).clock;
      expect(two.shards).to.deep.equal(one.shards);
    }
  });

  it('without any agent is enforced after the bound, and held back meanwhile', () => {
    const given = oneServiceWorld([ON_WORKER]);
    const cluster = new RollOutCluster({
      ...given,
      nodes: given.nodes.map((one) => ({ ...one, agent: false })),
    });
    cluster.pass();
    expect(only(cluster.pass().waiting).hosts).to.deep.equal([]);
    cluster.nowMs = 29_999;
    cluster.pass();
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'prepare' });
    cluster.nowMs = 30_000;
    cluster.pass();
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'pending' });
  });
});

describe('hosts that do not answer', () => {
  it('a host that is not Ready holds nothing, from the moment that it is not', () => {
    const cluster = new RollOutCluster(oneServiceWorld([ON_WORKER]));
    cluster.pass();
    cluster.answer().pass();
    cluster.answer(CONTROLLER_0, WORKER_0).pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'prepare' });
    cluster.world = withNode(cluster.world, CONTROLLER_1, { ready: false });
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'protect' });
    cluster.answer(CONTROLLER_0, WORKER_0).pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
    cluster.world = withNode(cluster.world, CONTROLLER_1, { ready: true });
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
  });

  it('a silent host holds 30 s once, not once for every stage', () => {
    const cluster = new RollOutCluster(oneServiceWorld([ON_WORKER]));
    const others = [CONTROLLER_0, WORKER_0];
    cluster.pass();
    cluster.answer(...others).pass();
    cluster.answer(...others).pass();
    cluster.nowMs = 29_000;
    cluster.answer(...others).pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'prepare' });
    cluster.nowMs = 31_000;
    cluster.pass();
    expect([...cluster.clock.overdue]).to.deep.equal([CONTROLLER_1]);
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'protect' });
    cluster.answer(...others).pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
    cluster.answer().pass();
    expect([...cluster.clock.overdue]).to.deep.equal([]);
  });

  it('an endpoint on a host that does not answer stays pending and does not hold the others', () => {
    const cluster = new RollOutCluster(
      withNode(oneServiceWorld([ON_WORKER, ON_CONTROLLER_1]), WORKER_0, { ready: false }),
    );
    cluster.pass();
    for (let i = 0; i < 4; i += 1) cluster.answer(CONTROLLER_0, CONTROLLER_1).pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'pending', [ON_CONTROLLER_1]: 'active' });
  });

  it('an endpoint on a host without an agent stays pending for good', () => {
    const cluster = enforced(withNode(oneServiceWorld([ON_WORKER]), WORKER_0, { agent: false }));
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'pending' });
  });

  it('a stage is held 30 s at most even if a shard changes faster than hosts report', () => {
    const cluster = new RollOutCluster(oneServiceWorld([ON_WORKER]));
    cluster.pass();
    for (let second = 1; second <= 65 && cluster.stages()['tcp/53'] !== 'enforce'; second += 1) {
      cluster.answer();
      const slices = [slice('ns/svc', ['dns tcp/53'], [ON_WORKER, `172.16.166.${130 + (second % 2)}`])];
      cluster.world = { ...cluster.world, slices };
      cluster.nowMs = second * 1000;
      cluster.shards = cluster.shards.map((shard) => ({
        ...shard,
        version: { ...shard.version, generation: shard.version.generation + 1 },
      }));
      cluster.pass();
    }
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
    expect(cluster.nowMs).to.be.within(30_000, 64_000);
  });
});

describe('an enforced service', () => {
  it('an endpoint that moves costs one write for each answer, and no stage moves', () => {
    const cluster = enforced(oneServiceWorld([ON_WORKER]));
    const before = cluster.writes;
    cluster.world = { ...cluster.world, slices: [slice('ns/svc', ['dns tcp/53'], [ON_CONTROLLER_1])] };
    cluster.pass();
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'leaving', [ON_CONTROLLER_1]: 'pending' });
    cluster.answer(CONTROLLER_1).pass();
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'leaving', [ON_CONTROLLER_1]: 'active' });
    cluster.answer(WORKER_0).pass();
    expect(cluster.endpoints()).to.deep.equal({ [ON_CONTROLLER_1]: 'active' });
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
    expect(cluster.writes - before).to.equal(3);
  });

  it('an endpoint that moves costs two writes when both hosts answer together', () => {
    const cluster = enforced(oneServiceWorld([ON_WORKER]));
    const before = cluster.writes;
    cluster.world = { ...cluster.world, slices: [slice('ns/svc', ['dns tcp/53'], [ON_CONTROLLER_1])] };
    cluster.pass();
    cluster.settle();
    expect(cluster.writes - before).to.equal(2);
  });

  it('an endpoint that leaves goes on leaving when its policy is deleted meanwhile', () => {
    const cluster = enforced(oneServiceWorld([ON_WORKER, ON_CONTROLLER_1]));
    cluster.world = oneServiceWorld([ON_CONTROLLER_1]);
    cluster.pass();
    cluster.world = oneServiceWorld([ON_CONTROLLER_1], { policies: [] });
    cluster.answer(WORKER_0).pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'release' });
    expect(cluster.endpoints()).to.deep.equal({ [ON_CONTROLLER_1]: 'active' });
  });

  it('an endpoint is not active for a report of a host that has lost its agent', () => {
    const cluster = enforced(oneServiceWorld([]));
    cluster.world = oneServiceWorld([ON_WORKER]);
    cluster.pass();
    cluster.answer();
    cluster.world = withNode(cluster.world, WORKER_0, { agent: false });
    cluster.pass();
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'pending' });
  });

  it('an address that somebody wrote into an object twice stands once', () => {
    const cluster = enforced(oneServiceWorld([ON_WORKER]));
    cluster.shards = cluster.shards.map((shard) => ({
      ...shard,
      endpoints: [...shard.endpoints, ...shard.endpoints],
    }));
    cluster.pass();
    expect(cluster.shards[0]?.endpoints).to.have.length(1);
  });

  it('an endpoint that comes back while it leaves begins again', () => {
    const cluster = enforced(oneServiceWorld([ON_WORKER]));
    const { slices } = cluster.world;
    cluster.world = { ...cluster.world, slices: [] };
    cluster.pass();
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'leaving' });
    cluster.world = { ...cluster.world, slices };
    cluster.pass();
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'pending' });
  });

  it('an endpoint leaves at once from a host that is not Ready, has lost its agent, or is deleted', () => {
    for (const change of [{ ready: false }, { agent: false }]) {
      const cluster = enforced(oneServiceWorld([ON_WORKER, ON_CONTROLLER_1]));
      const slices = [slice('ns/svc', ['dns tcp/53'], [ON_CONTROLLER_1])];
      cluster.world = withNode({ ...cluster.world, slices }, WORKER_0, change);
      cluster.pass();
      expect(cluster.endpoints()).to.deep.equal({ [ON_CONTROLLER_1]: 'active' });
    }
    const cluster = enforced(oneServiceWorld([ON_WORKER]));
    const nodes = cluster.world.nodes.filter(({ name }) => name !== WORKER_0);
    cluster.world = { ...cluster.world, slices: [], nodes };
    cluster.pass();
    expect(cluster.endpoints()).to.deep.equal({});
  });

  it('an address that moves to another host leaves the old one before it is pending on the new one', () => {
    const cluster = enforced(oneServiceWorld([ON_WORKER]));
    const blocks = [...cluster.world.blocks.slice(0, 2), block('172.16.43.0/26', 'controller-1')];
    cluster.world = { ...cluster.world, blocks };
    cluster.pass();
    expect(cluster.shards[0]?.endpoints).to.deep.equal([
      { address: ON_WORKER, host: WORKER_0, ports: [port('tcp/53')], state: 'leaving' },
    ]);
    cluster.answer().pass();
    expect(cluster.shards[0]?.endpoints).to.deep.equal([
      { address: ON_WORKER, host: CONTROLLER_1, ports: [port('tcp/53')], state: 'pending' },
    ]);
  });

  it('an endpoint whose block cannot be seen stays as it is', () => {
    const cluster = enforced(oneServiceWorld([ON_WORKER]));
    const before = cluster.shards;
    cluster.world = { ...cluster.world, blocks: cluster.world.blocks.slice(0, 2) };
    cluster.pass();
    expect(cluster.shards).to.deep.equal(before);
  });

  it('scaled 0-3-1-0 stays enforced', () => {
    const cluster = enforced(oneServiceWorld([]));
    for (const count of [3, 1, 0]) {
      const addresses = ['172.16.43.5', '172.16.43.6', '172.16.166.130'].slice(0, count);
      cluster.world = { ...cluster.world, slices: [slice('ns/svc', ['dns tcp/53'], addresses)] };
      cluster.pass();
      expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
      cluster.settle();
      expect(Object.keys(cluster.endpoints())).to.have.members(addresses);
      expect(new Set(Object.values(cluster.endpoints()))).to.deep.equal(
        new Set(count === 0 ? [] : ['active']),
      );
    }
  });

  it('scaled to 0 and up with a named target port never opens it', () => {
    const given = oneServiceWorld([], {
      policies: [policy('p', ['ns/svc', 'tcp/80'])],
      services: [service('ns/svc', 'web tcp/80>http')],
      slices: [],
    });
    const cluster = new RollOutCluster(given);
    cluster.pass();
    expect(cluster.shards[0]?.servicePorts).to.deep.equal([port('tcp/80')]);
    const slices = [slice('ns/svc', ['web tcp/8080'], [ON_WORKER])];
    cluster.world = { ...given, slices };
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/8080': 'enforce' });
    cluster.settle();
    cluster.world = given;
    cluster.settle();
    expect(cluster.stages()).to.deep.equal({ 'tcp/8080': 'enforce' });
    expect(cluster.endpoints()).to.deep.equal({});
  });

  it('a rolling update to another number behind a named port is enforced from the start', () => {
    const given = oneServiceWorld([], {
      policies: [policy('p', ['ns/svc', 'tcp/80'])],
      services: [service('ns/svc', 'web tcp/80>http')],
      slices: [slice('ns/svc', ['web tcp/8080'], [ON_WORKER])],
    });
    const cluster = enforced(given);
    expect(cluster.stages()).to.deep.equal({ 'tcp/8080': 'enforce' });
    const next = slice('ns/svc', ['web tcp/9090'], [ON_CONTROLLER_1]);
    cluster.world = { ...given, slices: [...given.slices, next] };
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/8080': 'enforce', 'tcp/9090': 'enforce' });
    cluster.settle();
    cluster.world = { ...given, slices: [next] };
    cluster.settle();
    expect(cluster.stages()).to.deep.equal({ 'tcp/9090': 'enforce' });
  });

  it('deleted as a Service and made again stays enforced, without endpoints meanwhile', () => {
    const given = oneServiceWorld([ON_WORKER]);
    const cluster = enforced(given);
    cluster.world = { ...given, services: [], slices: [] };
    cluster.settle();
    expect(cluster.endpoints()).to.deep.equal({});
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
    cluster.world = given;
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'pending' });
  });
});

describe('ports and policies that go', () => {
  const both = oneServiceWorld([ON_WORKER], {
    policies: [policy('p', ['ns/svc', 'tcp/53,udp/53'])],
    services: [service('ns/svc', 'dns tcp/53', 'dns-udp udp/53')],
    slices: [slice('ns/svc', ['dns tcp/53', 'dns-udp udp/53'], [ON_WORKER])],
  });

  it('a port that is taken out is released, gone, forgotten; the other one sees nothing', () => {
    const cluster = enforced(both);
    cluster.world = { ...both, policies: [policy('p', ['ns/svc', 'tcp/53'])] };
    const seen = Array.from({ length: 4 }, () => {
      cluster.pass();
      cluster.answer();
      const ports = cluster.shards[0]?.endpoints[0]?.ports.length;
      return [cluster.stages()['tcp/53'], cluster.stages()['udp/53'], ports, cluster.endpoints()[ON_WORKER]];
    });
    expect(seen).to.deep.equal([
      ['enforce', 'release', 2, 'active'],
      ['enforce', 'gone', 2, 'active'],
      ['enforce', undefined, 1, 'active'],
      ['enforce', undefined, 1, 'active'],
    ]);
    expect(cluster.shards[0]?.servicePorts).to.deep.equal([port('tcp/53')]);
  });

  it('a deleted policy takes its service through release and gone, endpoints untouched, then deletes it', () => {
    const cluster = enforced(both);
    cluster.world = { ...both, policies: [] };
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'release', 'udp/53': 'release' });
    expect(cluster.shards[0]?.servicePorts).to.deep.equal([]);
    expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'active' });
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'release', 'udp/53': 'release' });
    cluster.answer().pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'gone', 'udp/53': 'gone' });
    cluster.answer(CONTROLLER_0, WORKER_0).pass();
    expect(cluster.shards).to.have.length(1);
    cluster.answer(CONTROLLER_1).pass();
    expect(cluster.shards).to.deep.equal([]);
  });

  it('what is gone stands until hosts that were down have seen it, and no longer', () => {
    const cluster = enforced(both);
    cluster.world = withNode({ ...both, policies: [] }, CONTROLLER_1, { ready: false });
    for (let i = 0; i < 5; i += 1) cluster.answer(CONTROLLER_0, WORKER_0).pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'gone', 'udp/53': 'gone' });
    const returned = enforced(both);
    returned.world = cluster.world;
    for (let i = 0; i < 5; i += 1) returned.answer(CONTROLLER_0, WORKER_0).pass();
    returned.world = withNode(cluster.world, CONTROLLER_1, { ready: true });
    returned.answer().pass();
    expect(returned.shards).to.deep.equal([]);
    cluster.world = {
      ...cluster.world,
      nodes: cluster.world.nodes.filter(({ name }) => name !== CONTROLLER_1),
    };
    cluster.pass();
    expect(cluster.shards).to.deep.equal([]);
  });

  for (const rounds of [1, 2])
    it(`a policy that is made again in ${rounds === 1 ? 'release' : 'gone'} starts at prepare`, () => {
      const cluster = enforced(both);
      cluster.world = { ...both, policies: [] };
      for (let i = 0; i < rounds; i += 1) cluster.answer().pass();
      expect(cluster.stages()['tcp/53']).to.equal(rounds === 1 ? 'release' : 'gone');
      cluster.world = both;
      cluster.pass();
      expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'prepare', 'udp/53': 'prepare' });
      expect(cluster.endpoints()).to.deep.equal({ [ON_WORKER]: 'active' });
      cluster.settle();
      expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce', 'udp/53': 'enforce' });
    });

  it('a port in release stays so when the Service is deleted too', () => {
    const cluster = enforced(both);
    cluster.world = { ...both, policies: [policy('p', ['ns/svc', 'tcp/53'])] };
    cluster.pass();
    cluster.world = {
      ...cluster.world,
      policies: [policy('p', ['ns/svc', 'udp/5'])],
      services: [],
      slices: [],
    };
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'release', 'udp/53': 'release' });
  });

  it('all policies of a service must go before it does', () => {
    const cluster = enforced({ ...both, policies: [...both.policies, policy('q', ['ns/svc', 'tcp/53'])] });
    cluster.world = { ...both, policies: [policy('q', ['ns/svc', 'tcp/53'])] };
    cluster.settle();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
  });

  it('a service port that was held for a target nobody knew is let go before the object is deleted', () => {
    const given = oneServiceWorld([], {
      policies: [policy('p', ['ns/svc', 'tcp/80'])],
      services: [service('ns/svc', 'web tcp/80>http')],
      slices: [],
    });
    const cluster = enforced(given);
    cluster.world = { ...given, policies: [] };
    cluster.pass();
    expect(cluster.shards[0]?.servicePorts).to.deep.equal([]);
    cluster.pass();
    expect(cluster.shards).to.have.length(1);
    cluster.answer().pass();
    expect(cluster.shards).to.deep.equal([]);
  });

  it('facts that nothing asks for any more go the same way as others', () => {
    const cluster = enforced(both);
    cluster.world = world();
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'release', 'udp/53': 'release' });
    cluster.settle();
    expect(cluster.shards).to.deep.equal([]);
  });
});

describe('cluster IPs', () => {
  it('are held by clients from protect on, not while live traffic is prepared', () => {
    const cluster = new RollOutCluster(oneServiceWorld([ON_WORKER]));
    const seen = Array.from({ length: 4 }, () => {
      cluster.pass();
      cluster.answer();
      return [cluster.stages()['tcp/53'], cluster.shards[0]?.servicePorts.length];
    });
    expect(seen).to.deep.equal([
      ['prepare', 0],
      ['prepare', 0],
      ['protect', 1],
      ['enforce', 1],
    ]);
    expect(cluster.shards[0]?.clusterIps).to.deep.equal([address('10.96.0.10')]);
  });
});

describe('shards', () => {
  const many = (count: number, from = 0): string[] =>
    Array.from({ length: count }, (_, i) => `172.16.${Math.floor((from + i) / 250)}.${(from + i) % 250}`);
  const big = (addresses: readonly string[]): World =>
    oneServiceWorld(addresses, { blocks: [block('172.16.0.0/22', 'worker-0')] });
  const sizes = (cluster: RollOutCluster): number[] =>
    cluster.shards.toSorted((a, b) => a.index - b.index).map((shard) => shard.endpoints.length);

  it('hold 100 endpoints each; stages stand in the first', () => {
    const cluster = enforced(big(many(250)));
    expect(sizes(cluster)).to.deep.equal([100, 100, 50]);
    expect(cluster.shards.map((shard) => shard.stages.length)).to.have.members([1, 0, 0]);
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'enforce' });
    expect(new Set(Object.values(cluster.endpoints()))).to.deep.equal(new Set(['active']));
  });

  it('a stage waits for the answers of all of them', () => {
    const cluster = new RollOutCluster(big(many(250)));
    cluster.pass();
    cluster.answer().pass();
    cluster.answer();
    const partly = cluster.reports.map((report) => ({
      ...report,
      loaded: report.loaded.filter(({ name }) => report.host !== CONTROLLER_0 || name !== 'ns.svc.2'),
    }));
    cluster.reports = partly;
    cluster.pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'prepare' });
    cluster.answer().pass();
    expect(cluster.stages()).to.deep.equal({ 'tcp/53': 'protect' });
  });

  it('an endpoint keeps its shard, a new one takes the first that has room, one shard is written', () => {
    const cluster = enforced(big(many(250)));
    const before = cluster.writes;
    const place = new Map(
      cluster.shards.flatMap((shard) => shard.endpoints.map((one) => [one.address, shard.index])),
    );
    cluster.world = big([...many(250).filter((_, i) => i !== 7), '172.16.3.1']);
    cluster.settle();
    const after = new Map(
      cluster.shards.flatMap((shard) => shard.endpoints.map((one) => [one.address, shard.index])),
    );
    expect(after.get(address('172.16.3.1'))).to.equal(2);
    for (const [where, index] of after)
      if (where !== '172.16.3.1') expect(index, where).to.equal(place.get(where));
    expect(cluster.writes - before).to.equal(4);
    cluster.world = big([...many(250).filter((_, i) => i !== 7), '172.16.3.1', '172.16.3.2']);
    cluster.settle();
    expect(cluster.shards.find((shard) => shard.index === 0)?.endpoints).to.have.length(100);
  });

  it('an emptied shard is deleted when every host has read that it is empty', () => {
    const cluster = enforced(big(many(150)));
    cluster.world = big(many(100));
    cluster.pass();
    cluster.answer().pass();
    expect(sizes(cluster)).to.deep.equal([100, 0]);
    cluster.answer(CONTROLLER_0, WORKER_0).pass();
    expect(sizes(cluster)).to.deep.equal([100, 0]);
    cluster.answer().pass();
    expect(sizes(cluster)).to.deep.equal([100]);
  });

  it('are emptied and deleted in one pass where there are no agents', () => {
    const alone = (given: World): World => ({
      ...given,
      nodes: given.nodes.map((one) => ({ ...one, agent: false })),
    });
    const cluster = new RollOutCluster(alone(big(many(150))));
    cluster.pass();
    cluster.world = alone(big(many(100)));
    cluster.pass();
    expect(sizes(cluster)).to.deep.equal([100]);
  });

  it('go together when their policy does', () => {
    const cluster = enforced(big(many(250)));
    cluster.world = { ...big(many(250)), policies: [] };
    cluster.settle();
    expect(cluster.shards).to.deep.equal([]);
  });
});

describe('rollOut', () => {
  it('gives what stands, to the letter, when nothing changed', () => {
    const cluster = enforced(oneServiceWorld([ON_WORKER, ON_CONTROLLER_1]));
    const { shards, reports, clock } = cluster;
    const plan = rollOut(resolve(cluster.world), { shards, reports, ...clock });
    expect(shardWrites(plan, shards)).to.deep.equal([]);
    expect(plan.removed).to.deep.equal([]);
    expect(plan.waiting).to.deep.equal([]);
  });
});
