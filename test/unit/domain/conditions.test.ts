// What a policy says of itself: conditions, rows and columns, out of worlds that were rolled out in miniature.
import { expect } from 'chai';
import type { ConditionType } from '../../../app/domain/conditions.ts';
import { problemsOfRows } from '../../../app/domain/conditions.ts';
import type { GuardMode, GuardStanding, HostReport } from '../../../app/domain/facts.ts';
import { policyStatus, type PolicyStatus } from '../../../app/domain/policy-status.ts';
import { resolve } from '../../../app/domain/resolve.ts';
import { serviceStandings } from '../../../app/domain/service-standing.ts';
import type { World } from '../../../app/domain/world.ts';
import { RollOutCluster } from '../../support/roll-out-cluster.ts';
import {
  address,
  CONTROLLER_0,
  CONTROLLER_1,
  node,
  oneServiceWorld,
  policy,
  service,
  slice,
  WORKER_0,
  world,
} from '../../support/world-builders.ts';

function status(cluster: RollOutCluster, name = 'p', guardMode: GuardMode = 'enforce'): PolicyStatus {
  const resolved = resolve(cluster.world);
  const { shards, reports, clock } = cluster;
  const standingOf = serviceStandings(resolved, shards, reports);
  const input = { resolved, reports, standingOf, guardMode, overdue: clock.overdue };
  return policyStatus({ name, generation: 4 }, input);
}

/** `False PortNotFound` and the message. */
function said(of: PolicyStatus, type: ConditionType): { short: string; message: string } {
  const found = of.conditions.find((condition) => condition.type === type);
  return { short: `${found?.status} ${found?.reason}`, message: found?.message ?? '' };
}

function settled(given: World): RollOutCluster {
  const cluster = new RollOutCluster(given);
  cluster.settle();
  return cluster;
}

const ENDPOINT = '172.16.43.5';

describe('policyStatus', () => {
  it('of a policy in force', () => {
    expect(status(settled(oneServiceWorld([ENDPOINT])))).to.deep.equal({
      observedGeneration: 4,
      policies: 1,
      endpoints: 1,
      hosts: '3/3',
      conditions: [
        { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'All rows are accepted.' },
        {
          type: 'ResolvedRefs',
          status: 'True',
          reason: 'ResolvedRefs',
          message: 'All services and ports are found.',
        },
        {
          type: 'Programmed',
          status: 'True',
          reason: 'Programmed',
          message: 'In force on all 3 hosts with an agent.',
        },
      ],
      rows: [
        {
          name: 'svc',
          service: 'ns/svc',
          stage: 'enforce',
          ports: ['tcp/53'],
          endpoints: 1,
          hosts: 3,
          hostsInForce: 3,
        },
      ],
    });
  });

  it('follows the roll-out, stage by stage, and is True at its very end only', () => {
    const cluster = new RollOutCluster(oneServiceWorld([ENDPOINT]));
    const seen = [];
    for (let step = 0; step < 5; step += 1) {
      cluster.pass();
      const { rows, hosts, conditions } = status(cluster);
      seen.push(`${rows[0]?.stage} ${hosts} ${conditions[2]?.status}`);
      cluster.answer();
    }
    expect(seen).to.deep.equal([
      'prepare 0/3 False',
      'prepare 0/3 False',
      'protect 0/3 False',
      'enforce 0/3 False',
      'enforce 3/3 True',
    ]);
  });

  it('has a line for each row, in order, of this policy alone', () => {
    const given = oneServiceWorld([ENDPOINT], {
      policies: [policy('p', ['ns/svc', 'tcp/53'], ['ns/none', 'udp/1']), policy('q', ['ns/svc', 'tcp/53'])],
    });
    const { rows, policies, endpoints } = status(settled(given));
    expect(rows.map(({ service: key, stage, ports }) => ({ key, stage, ports }))).to.deep.equal([
      { key: 'ns/svc', stage: 'enforce', ports: ['tcp/53'] },
      { key: 'ns/none', stage: undefined, ports: [] },
    ]);
    expect({ policies, endpoints }).to.deep.equal({ policies: 2, endpoints: 1 });
  });

  it('a row that is refused protects nothing and its line says so', () => {
    const given = oneServiceWorld([ENDPOINT], { policies: [policy('p', ['ns/svc', 'tcp/53,x'])] });
    const found = status(settled(given));
    expect(found.rows[0]).to.deep.include({ ports: [], endpoints: 0, hostsInForce: 0 });
    expect(found.rows[0]).not.to.have.property('stage');
    expect({ policies: found.policies, hosts: found.hosts }).to.deep.equal({ policies: 0, hosts: '0/3' });
  });

  it('before anything is written nothing is in force', () => {
    const found = status(new RollOutCluster(oneServiceWorld([ENDPOINT])));
    expect(found.rows[0]).to.deep.include({ ports: ['tcp/53'], endpoints: 1, hosts: 3, hostsInForce: 0 });
    expect(found.rows[0]).not.to.have.property('stage');
    expect(said(found, 'Programmed').short).to.equal('False Pending');
  });
});

describe('Accepted', () => {
  it('names the rows that are not', () => {
    const given = oneServiceWorld([ENDPOINT], { policies: [policy('p', ['ns/svc', 'tcp/0'])] });
    const { short, message } = said(status(settled(given)), 'Accepted');
    expect(short).to.equal('False InvalidPorts');
    expect(message).to.include('Row "svc"').and.include('write tcp/53');
    expect(said(status(settled(given)), 'Programmed').short).to.equal('False NotAccepted');
  });

  it('names the other policies about the same service', () => {
    const given = oneServiceWorld([ENDPOINT], {
      policies: [
        policy('p', ['ns/svc', 'tcp/53']),
        policy('z', ['ns/svc', 'tcp/53']),
        policy('a', ['ns/svc', 'tcp/53']),
      ],
    });
    expect(said(status(settled(given)), 'Accepted')).to.deep.equal({
      short: 'True Accepted',
      message:
        'All rows are accepted. The union of all rows about a service is protected. ns/svc is also in a, z.',
    });
  });
});

describe('ResolvedRefs', () => {
  const cases = [
    {
      name: 'a service that is not there',
      given: { services: [] },
      expect: 'False ServiceNotFound',
      says: 'ns/svc',
    },
    {
      name: 'an ExternalName',
      given: { services: [{ ...service('ns/svc', 'dns tcp/53'), externalName: true }] },
      expect: 'False ExternalNameService',
      says: 'Name the service that has',
    },
    {
      name: 'a port',
      given: { policies: [policy('p', ['ns/svc', 'tcp/99'])] },
      expect: 'False PortNotFound',
      says: 'tcp/99',
    },
    {
      name: 'a pod in the network of its host',
      given: { slices: [slice('ns/svc', ['dns tcp/53'], ['192.168.206.3', ENDPOINT])] },
      expect: 'False EndpointOnHostNetwork',
      says: '192.168.206.3',
    },
  ];
  for (const { name, given, expect: short, says } of cases)
    it(`${name}: ${short}`, () => {
      const found = said(status(settled(oneServiceWorld([ENDPOINT], given))), 'ResolvedRefs');
      expect(found.short).to.equal(short);
      expect(found.message).to.include(says);
    });

  it('a pod in the network of its host does not keep the others from being in force', () => {
    const given = oneServiceWorld(['192.168.206.3', ENDPOINT]);
    expect(said(status(settled(given)), 'Programmed').short).to.equal('True Programmed');
  });
});

describe('Programmed', () => {
  it('without agents says so and what to do', () => {
    const given = oneServiceWorld([ENDPOINT]);
    const cluster = settled({ ...given, nodes: given.nodes.map((one) => ({ ...one, agent: false })) });
    const { short, message } = said(status(cluster), 'Programmed');
    expect(short).to.equal('False NoAgents');
    expect(message).to.include('Label the hosts');
  });

  it('names a host that has no agent but endpoints', () => {
    const given = oneServiceWorld([ENDPOINT, '172.16.166.130']);
    const nodes = given.nodes.map((one) => ({ ...one, agent: one.name !== WORKER_0 }));
    const { short, message } = said(status(settled({ ...given, nodes })), 'Programmed');
    expect(short).to.equal('False HostWithoutAgent');
    expect(message).to.include('worker-0').and.include(ENDPOINT);
  });

  it('names a host that is down and has not loaded what is wanted', () => {
    const given = oneServiceWorld([ENDPOINT]);
    const nodes = given.nodes.map((one) => ({ ...one, ready: one.name !== WORKER_0 }));
    const cluster = new RollOutCluster({ ...given, nodes });
    for (let i = 0; i < 5; i += 1) cluster.answer(CONTROLLER_0, CONTROLLER_1).pass();
    const found = status(cluster);
    expect(said(found, 'Programmed').short).to.equal('False HostNotReady');
    expect(said(found, 'Programmed').message).to.include('worker-0: not Ready');
    expect(found.hosts).to.equal('2/3');
  });

  it('stays True when a host goes down that has it all loaded', () => {
    const cluster = settled(oneServiceWorld([ENDPOINT]));
    cluster.world = { ...cluster.world, nodes: cluster.world.nodes.map((one) => ({ ...one, ready: false })) };
    expect(said(status(cluster), 'Programmed').short).to.equal('True Programmed');
  });

  it('names a host that is Ready and silent for too long', () => {
    const cluster = new RollOutCluster(oneServiceWorld([ENDPOINT]));
    cluster.pass();
    cluster.answer(CONTROLLER_0, CONTROLLER_1).pass();
    cluster.nowMs = 60_000;
    cluster.pass();
    expect(said(status(cluster), 'Programmed').message).to.include(
      'Hosts worker-0: Ready but do not report; check the agent',
    );
  });

  it('is False while a new endpoint is on its way, and names it', () => {
    const cluster = settled(oneServiceWorld([ENDPOINT]));
    cluster.world = oneServiceWorld([ENDPOINT, '172.16.43.6']);
    const { short, message } = said(status(cluster), 'Programmed');
    expect(short).to.equal('False Pending');
    expect(message).to.include('172.16.43.6 on worker-0').and.not.include(ENDPOINT);
  });

  it('waits for a service that is not there, and for ports that nobody knows yet', () => {
    const absent = settled(world({ policies: [policy('p', ['ns/svc', 'tcp/53'])] }));
    expect(said(status(absent), 'Programmed').short).to.equal('False ServiceNotFound');
    const named = settled(
      world({
        policies: [policy('p', ['ns/svc', 'tcp/80'])],
        services: [service('ns/svc', 'web tcp/80>http')],
      }),
    );
    expect(said(status(named), 'ResolvedRefs').short).to.equal('True ResolvedRefs');
    expect(said(status(named), 'Programmed').message).to.include('known when it has its first pod');
  });

  it('does not look at hosts that have no agent', () => {
    const given = oneServiceWorld([ENDPOINT]);
    const storage = node('storage-0', { addresses: [address('192.168.206.90')], agent: false });
    const found = status(settled({ ...given, nodes: [...given.nodes, storage] }));
    expect(found.hosts).to.equal('3/3');
    expect(said(found, 'Programmed').short).to.equal('True Programmed');
  });

  describe('takes in what hosts report', () => {
    const other = { services: [service('ns/svc', 'dns tcp/53'), service('ns/other', 'dns tcp/53')] };
    const policies = [policy('p', ['ns/svc', 'tcp/53']), policy('o', ['ns/other', 'tcp/53'])];
    const cases: readonly {
      name: string;
      change: Partial<HostReport>;
      expect: string;
      says?: string;
    }[] = [
      {
        name: 'of itself',
        change: {
          problems: [
            { reason: 'CharonUnreachable', subject: 'controller-0', message: 'charon does not answer' },
          ],
        },
        expect: 'False CharonUnreachable',
        says: 'controller-0: charon does not answer',
      },
      {
        name: 'of the service',
        change: { problems: [{ reason: 'LoadFailed', subject: 'ns/svc', message: 'refused' }] },
        expect: 'False LoadFailed',
      },
      {
        name: 'of another service: not this policy',
        change: { problems: [{ reason: 'LoadFailed', subject: 'ns/other', message: 'refused' }] },
        expect: 'True Programmed',
      },
      {
        name: 'of a peer with endpoints',
        change: { peersNotReached: [WORKER_0] },
        expect: 'False PeerNotReached',
        says: 'No tunnel to worker-0',
      },
      {
        name: 'of a peer without any',
        change: { peersNotReached: [CONTROLLER_1] },
        expect: 'True Programmed',
      },
      {
        name: 'that is no obstacle: nothing leaves in plaintext',
        change: { problems: [{ reason: 'TunnelSilent', subject: WORKER_0, message: 'no answer' }] },
        expect: 'True Programmed',
      },
      {
        name: 'in a word that could not stand as a reason',
        change: { problems: [{ reason: 'no reason!', subject: 'x', message: 'm' }] },
        expect: 'False LoadFailed',
      },
    ];
    for (const { name, change, expect: short, says = '' } of cases)
      it(name, () => {
        const cluster = settled(oneServiceWorld([ENDPOINT], { ...other, policies }));
        cluster.reports = cluster.reports.map((one) =>
          one.host === CONTROLLER_0 ? { ...one, ...change } : one,
        );
        expect(said(status(cluster), 'Programmed').short).to.equal(short);
        expect(said(status(cluster), 'Programmed').message).to.include(says);
      });
  });

  describe('a guard that is', () => {
    const guarded = (state: GuardStanding, change: Partial<HostReport> = {}): RollOutCluster => {
      const cluster = settled(oneServiceWorld([ENDPOINT]));
      cluster.reports = cluster.reports.map((one) =>
        one.host === WORKER_0 ? { ...one, ...change, guard: { ...one.guard, state } } : one,
      );
      return cluster;
    };
    for (const state of ['missing', 'differs', 'unknown', 'observe', 'off'] as const)
      it(`${state} in mode enforce is not in force there`, () => {
        const found = status(guarded(state));
        const { short, message } = said(found, 'Programmed');
        expect(short).to.equal('False GuardMissing');
        expect(message).to.match(/^Hosts worker-0: \S.*\.$/);
        expect([found.hosts, found.rows[0]?.hostsInForce]).to.deep.equal(['2/3', 2]);
      });
    for (const state of ['enforce', 'none'] as const)
      it(`${state} is as it should be`, () => {
        expect(status(guarded(state)).hosts).to.equal('3/3');
        expect(said(status(guarded(state)), 'Programmed').short).to.equal('True Programmed');
      });
    for (const mode of ['observe', 'off'] as const)
      it(`missing in mode ${mode} stands in nobody's way`, () => {
        expect(said(status(guarded('missing'), 'p', mode), 'Programmed').short).to.equal('True Programmed');
      });
    it('explained by its host is not named twice', () => {
      const problems = [{ reason: 'GuardMissing', subject: 'guard', message: 'no nft.' }];
      const { message } = said(status(guarded('unknown', { problems })), 'Programmed');
      expect(message).to.equal('worker-0: no nft.');
    });
    it('missing on a host that has no agent any more is of no interest', () => {
      const cluster = guarded('enforce');
      const stranger = { ...cluster.reports[0]!, host: 'worker-9' as typeof WORKER_0 };
      cluster.reports = [...cluster.reports, { ...stranger, guard: { ...stranger.guard, state: 'missing' } }];
      expect(said(status(cluster), 'Programmed').short).to.equal('True Programmed');
    });
  });

  it('takes in a peer without endpoints when the host that reports it has some', () => {
    const cluster = settled(oneServiceWorld([ENDPOINT]));
    const peersNotReached = [CONTROLLER_1];
    cluster.reports = cluster.reports.map((one) =>
      one.host === WORKER_0 ? { ...one, peersNotReached } : one,
    );
    expect(said(status(cluster), 'Programmed').short).to.equal('False PeerNotReached');
  });

  it('stays short however much is wrong', () => {
    const cluster = settled(oneServiceWorld([ENDPOINT]));
    const problems = Array.from({ length: 300 }, (_, i) => ({
      reason: 'LoadFailed',
      subject: 'x',
      message: `${i} ${'y'.repeat(900)}`,
    }));
    cluster.reports = cluster.reports.map((one) => ({ ...one, problems }));
    expect(said(status(cluster), 'Programmed').message).to.have.lengthOf.at.most(2000);
  });
});

describe('problemsOfRows', () => {
  it('gives each once, sorted, for events', () => {
    const given = oneServiceWorld(['192.168.206.3'], {
      policies: [policy('p', ['ns/svc', 'tcp/53'], ['ns/svc', 'tcp/53'], ['a/b', 'tcp/1'])],
    });
    const found = problemsOfRows(resolve(given).rows);
    expect(found.map(({ reason, subject }) => `${reason} ${subject}`)).to.deep.equal([
      'ServiceNotFound a/b',
      'EndpointOnHostNetwork ns/svc',
    ]);
  });
});
