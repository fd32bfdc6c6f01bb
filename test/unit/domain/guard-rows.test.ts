import { expect } from 'chai';
import type { EndpointState, HostName, Stage } from '../../../app/domain/facts.ts';
import { planHost } from '../../../app/domain/plan-host.ts';
import {
  CONTROLLER_0,
  WORKER_0,
  endpoint,
  facts,
  host,
  hostName,
  kubeDns,
  network,
  prefix,
  seedFacts,
  shard,
  type ShardOptions,
} from '../../support/facts-builders.ts';

type Hold = 'counts' | 'holds';

/** What the guard on a host does about one endpoint on controller-0, in one stage and state. */
function guardOf(self: HostName, stage: Stage, state: EndpointState): Hold | undefined {
  const only = shard({
    of: 'kube-system/kube-dns',
    stages: 'udp/53',
    stage,
    endpoints: [endpoint('172.16.192.115', 'controller-0', 'udp/53', state)],
  });
  const [row] = planHost(facts({ shards: [only] }), self).guard.endpoints;
  if (row === undefined) return undefined;
  return row.holdEgress || row.holdIngress ? 'holds' : 'counts';
}

describe('guard rows for endpoints', () => {
  const table: { stage: Stage; client: Hold | undefined; own: Hold | undefined }[] = [
    { stage: 'prepare', client: 'counts', own: 'counts' },
    { stage: 'protect', client: 'holds', own: 'counts' },
    { stage: 'enforce', client: 'holds', own: 'holds' },
    { stage: 'release', client: 'counts', own: 'counts' },
    { stage: 'gone', client: undefined, own: undefined },
  ];
  for (const { stage, client, own } of table)
    for (const state of ['pending', 'active'] as const)
      it(`${stage}, ${state}: ${client ?? 'no row'} at a client's host, ${own ?? 'no row'} at its own`, () => {
        expect(guardOf(WORKER_0, stage, state)).to.equal(client);
        expect(guardOf(CONTROLLER_0, stage, state)).to.equal(own);
      });

  it('has none for what is leaving: the address may be the next pod’s', () => {
    for (const { stage } of table) expect(guardOf(WORKER_0, stage, 'leaving')).to.equal(undefined);
  });

  it('holds egress on clients’ hosts and ingress on the endpoint’s, never both', () => {
    for (const self of [CONTROLLER_0, WORKER_0])
      for (const row of planHost(seedFacts(), self).guard.endpoints) {
        const isHere = self === CONTROLLER_0 && row.address.startsWith('172.16.192.');
        expect(row).to.include({ holdEgress: !isHere, holdIngress: isHere });
      }
  });

  it('are there where no connection is possible', () => {
    for (const self of [hostName('host.example'), hostName('not-in-the-facts')]) {
      const plan = planHost(seedFacts({ hosts: [host('host.example', [], ['172.16.9.0/26'])] }), self);
      expect(plan.connections).to.be.empty;
      expect(plan.guard.endpoints).to.have.length(7);
      for (const row of plan.guard.endpoints) expect(row.holdEgress).to.equal(true);
    }
  });
});

describe('guard rows for cluster IPs', () => {
  function clusterIps(changes: Partial<ShardOptions>): string[] {
    const { clusterIps: rows } = planHost(facts({ shards: [kubeDns(changes)] }), WORKER_0).guard;
    return rows.map((row) => `${row.address} ${row.protocol}/${row.port}`);
  }

  for (const { name, changes, expected } of [
    {
      name: 'one for each service port',
      changes: {},
      expected: ['10.96.0.10 tcp/53', '10.96.0.10 tcp/9153', '10.96.0.10 udp/53'],
    },
    { name: 'none while the facts name no service port', changes: { servicePorts: '' }, expected: [] },
    {
      name: 'a service port that leads to another number, without endpoints too',
      changes: { stages: 'tcp/6666', servicePorts: 'tcp/666', endpoints: [] },
      expected: ['10.96.0.10 tcp/666'],
    },
    {
      name: 'both families of a dual-stack service',
      changes: { clusterIps: ['fd96::a', '10.96.0.10'], servicePorts: 'udp/53' },
      expected: ['10.96.0.10 udp/53', 'fd96::a udp/53'],
    },
    { name: 'none for a headless service', changes: { clusterIps: [] }, expected: [] },
  ])
    it(name, () => expect(clusterIps(changes)).to.deep.equal(expected));
});

describe('guard rows of further shards', () => {
  it('have no cluster IPs of their own', () => {
    const second = kubeDns({ index: 1, clusterIps: ['10.96.0.99'] });
    const { clusterIps } = planHost(facts({ shards: [kubeDns(), second] }), WORKER_0).guard;
    expect(clusterIps.map((row) => row.address)).not.to.include('10.96.0.99');
  });
});

describe('guard rows for pools', () => {
  it('are sorted, each once', () => {
    const pools = ['fd00::/64', '172.16.0.0/16', '172.16.0.0/16'].map(prefix);
    expect(planHost(facts({ network: network({ pools }) }), WORKER_0).guard.pools).to.deep.equal([
      '172.16.0.0/16',
      'fd00::/64',
    ]);
  });
});
