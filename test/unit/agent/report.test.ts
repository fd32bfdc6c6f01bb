import { expect } from 'chai';
import { helplessReport, makeReport, type ReportInput } from '../../../app/agent/report.ts';
import { strayShards } from '../../../app/agent/stray-shards.ts';
import { NO_GUARD, type Facts, type HostReport } from '../../../app/domain/facts.ts';
import { assignNames } from '../../../app/domain/names.ts';
import { planHost } from '../../../app/domain/plan-host.ts';
import { childKey, type Loaded } from '../../../app/swanctl/loaded.ts';
import { verify } from '../../../app/swanctl/verify.ts';
import {
  CONTROLLER_0,
  CONTROLLER_1,
  endpoint,
  facts,
  kubeDns,
  seedFacts,
  shard,
  WORKER_0,
} from '../../support/facts-builders.ts';
import { childSa, ikeSa, loaded } from '../../support/loaded-builders.ts';

const TO_CONTROLLER_1 = 'k8s-node-controller-1';
const TO_WORKER_0 = 'k8s-node-worker-0';

/** The report of a host on which all is as it should be, but for these changes. */
function reportOf(
  given: Facts,
  changes: Partial<ReportInput> = {},
  found?: (all: Loaded) => Loaded,
): HostReport {
  const plan = planHost(given, CONTROLLER_0);
  const config = assignNames(plan, undefined, new Map());
  const there = found === undefined ? loaded(config) : found(loaded(config));
  return makeReport({
    plan,
    config,
    loaded: there,
    verification: verify(config, there),
    unsettled: new Set(),
    strays: strayShards(given.shards, config, there),
    unanswered: new Set(),
    problems: [],
    guard: NO_GUARD,
    charonVersion: '5.9.8',
    ...changes,
  });
}

function namesOf({ loaded: versions }: HostReport): string[] {
  return versions.map(({ name }) => name);
}

const EACH_PEER = facts({
  shards: [
    shard({ of: 'ns/b', stages: 'tcp/2', endpoints: [endpoint('172.16.43.2', 'worker-0', 'tcp/2')] }),
    shard({ of: 'ns/a', stages: 'tcp/1', endpoints: [endpoint('172.16.166.130', 'controller-1', 'tcp/1')] }),
  ],
});

describe('makeReport', () => {
  it('is the same for the same state in another order', () => {
    const { hosts, shards } = seedFacts();
    const shuffled = seedFacts({ hosts: hosts.toReversed(), shards: shards.toReversed() });
    const reversed = (all: Loaded): Loaded => ({
      connections: new Map([...all.connections].reverse()),
      ikeSas: all.ikeSas.toReversed(),
      traps: new Set([...all.traps].reverse()),
    });
    expect(reportOf(shuffled, {}, reversed)).to.deep.equal(reportOf(seedFacts()));
  });

  it('confirms exactly the versions that the plan was made from, sorted', () => {
    expect(reportOf(EACH_PEER).loaded).to.deep.equal([
      { name: 'ns.a.0', uid: 'uid-ns.a.0', generation: 1 },
      { name: 'ns.b.0', uid: 'uid-ns.b.0', generation: 1 },
    ]);
  });

  it('confirms a shard that asks for nothing here', () => {
    expect(namesOf(reportOf(facts({ shards: [kubeDns({ stage: 'gone' })] })))).to.deep.equal([
      'kube-system.kube-dns.0',
    ]);
  });

  it('withholds a shard with a child that is not in force, and says which', () => {
    const key = childKey(TO_WORKER_0, 'tcp_b_egress');
    const withoutTrap = (all: Loaded): Loaded => ({
      ...all,
      traps: new Set([...all.traps].filter((trap) => trap !== key)),
    });
    const report = reportOf(EACH_PEER, {}, withoutTrap);
    expect(namesOf(report)).to.deep.equal(['ns.a.0']);
    expect(report.counters).to.deep.equal({ connections: 2, flows: 2, flowsInForce: 1, childSas: 0 });
    expect(report.problems.map(({ reason, subject }) => [reason, subject])).to.deep.equal([
      ['TrapMissing', TO_WORKER_0],
    ]);
    expect(report.problems[0]?.message).to.contain('tcp_b_egress');
  });

  it('takes a child with an SA for one in force although its trap is not there', () => {
    const [localTs, remoteTs] = ['172.16.192.64/26[tcp]', '172.16.43.2/32[tcp/2]'];
    const established = (all: Loaded): Loaded => ({
      ...all,
      traps: new Set(),
      ikeSas: [ikeSa(TO_WORKER_0, 1, { children: [childSa('tcp_b_egress', 2, localTs, remoteTs)] })],
    });
    const report = reportOf(EACH_PEER, {}, established);
    expect(namesOf(report)).to.deep.equal(['ns.b.0']);
    expect(report.counters.childSas).to.equal(1);
  });

  it('withholds what a connection with steps left to do carries', () => {
    expect(namesOf(reportOf(EACH_PEER, { unsettled: new Set([TO_WORKER_0]) }))).to.deep.equal(['ns.a.0']);
  });

  it('withholds a shard whose endpoint is still loaded although it is leaving', () => {
    const leaving = facts({
      shards: [
        shard({
          of: 'ns/a',
          stages: 'tcp/1',
          endpoints: [endpoint('172.16.166.130', 'controller-1', 'tcp/1', 'leaving')],
        }),
        shard({ of: 'ns/b', stages: 'tcp/2', endpoints: [endpoint('172.16.43.2', 'worker-0', 'tcp/2')] }),
      ],
    });
    const before = loaded(assignNames(planHost(EACH_PEER, CONTROLLER_0), undefined, new Map()));
    expect(namesOf(reportOf(leaving, {}, () => before))).to.deep.equal(['ns.b.0']);
    expect(namesOf(reportOf(leaving))).to.deep.equal(['ns.a.0', 'ns.b.0']);
  });

  it('does not mind strangers: connections of the platform that touch the same address', () => {
    const withStranger = (all: Loaded): Loaded => ({
      ...all,
      connections: new Map([
        ...all.connections,
        [
          'system-nodes',
          {
            localAddresses: [],
            remoteAddresses: [],
            children: new Map([
              ['node', { mode: 'TRANSPORT', localTs: ['172.16.43.2/32[tcp/2]'], remoteTs: ['dynamic'] }],
            ]),
          },
        ],
      ]),
      ikeSas: [
        ikeSa('system-nodes', 9, { children: [childSa('node', 10, '192.168.206.2/32', '192.168.206.3/32')] }),
      ],
    });
    expect(reportOf(EACH_PEER, {}, withStranger)).to.deep.equal(reportOf(EACH_PEER));
  });

  it('counts SAs of ours that nobody wants any more: they are not gone yet', () => {
    const sa = childSa('udp_old_ingress', 3, '172.16.192.70/32[udp/5]', '172.16.43.0/26[udp]');
    const leftOver = (all: Loaded): Loaded => ({
      ...all,
      ikeSas: [ikeSa(TO_WORKER_0, 1, { children: [sa] })],
    });
    expect(reportOf(facts(), {}, leftOver).counters).to.deep.equal({
      connections: 0,
      flows: 0,
      flowsInForce: 0,
      childSas: 1,
    });
  });

  it('names the peers behind unanswered connections once, sorted', () => {
    const unanswered = new Set([TO_WORKER_0, TO_CONTROLLER_1, 'k8s-node-strange']);
    expect(reportOf(EACH_PEER, { unanswered }).peersNotReached).to.deep.equal([CONTROLLER_1, WORKER_0]);
  });

  it('sorts problems of all sources', () => {
    const problems = ['z', 'm', 'a'].map((subject) => ({
      reason: 'LoadFailed' as const,
      subject,
      message: 'no',
    }));
    const report = reportOf(EACH_PEER, { problems }, (all) => ({ ...all, traps: new Set() }));
    expect(report.problems.map(({ subject }) => subject)).to.deep.equal([
      'a',
      TO_CONTROLLER_1,
      TO_WORKER_0,
      'm',
      'z',
    ]);
  });

  it('stays small when everything is missing', () => {
    const many = Array.from({ length: 100 }, (_, index) =>
      endpoint(`172.16.43.${index}`, 'worker-0', 'tcp/1 tcp/2 tcp/3'),
    );
    const shards = [shard({ of: 'ns/a', stages: 'tcp/1 tcp/2 tcp/3', endpoints: many })];
    const nothing = (all: Loaded): Loaded => ({ ...all, connections: new Map(), traps: new Set() });
    const { problems, counters } = reportOf(facts({ shards }), {}, nothing);
    expect(counters.flowsInForce).to.equal(0);
    expect(problems).to.have.length(1);
    expect(problems[0]?.message).to.contain('and 299 more');
    const wordy = Array.from({ length: 500 }, (_, index) => ({
      reason: 'LoadFailed' as const,
      subject: `${index}`,
      message: 'x'.repeat(5000),
    }));
    const report = reportOf(facts({ shards }), { problems: wordy });
    expect(JSON.stringify(report).length).to.be.below(200_000);
  });
});

describe('helplessReport', () => {
  it('confirms nothing, says why, and stays the same while it lasts', () => {
    const last = reportOf(EACH_PEER);
    const problems = [{ reason: 'CharonUnreachable', subject: 'charon', message: 'no answer' } as const];
    const guard = {
      mode: 'enforce',
      state: 'enforce',
      rows: 4,
      holding: 2,
      repairs: 1,
      lastRepair: 'then',
    } as const;
    const helpless = { host: CONTROLLER_0, networkUid: 'network-1', problems, guard };
    const once = helplessReport({ ...helpless, last });
    expect(once).to.deep.equal({
      host: CONTROLLER_0,
      networkUid: 'network-1',
      loaded: [],
      problems,
      peersNotReached: [],
      counters: { connections: 2, flows: 2, flowsInForce: 0, childSas: 0 },
      guard,
      charonVersion: '',
    });
    expect(helplessReport({ ...helpless, last: once })).to.deep.equal(once);
  });
});
