// Facts, reports, statuses and events written to a real API server and read back; and how few requests that takes.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect } from 'chai';
import {
  DEFAULT_PARAMETERS,
  type HostFact,
  type HostReport,
  type ShardSpec,
} from '../../app/domain/facts.ts';
import type { HostName } from '../../app/domain/facts.ts';
import { parseAddress, parsePrefix, type Address, type Prefix } from '../../app/domain/ip.ts';
import type { Problem } from '../../app/domain/problem.ts';
import { ApiError, isConflict, isNotFound } from '../../app/kubernetes/api-error.ts';
import { Client } from '../../app/kubernetes/client.ts';
import { eventRecorder } from '../../app/kubernetes/events.ts';
import { HOST_FACTS, NETWORK_FACTS, SHARD_FACTS } from '../../app/kubernetes/fact-objects.ts';
import type { NetworkSpec } from '../../app/domain/network.ts';
import type { PolicyStatus } from '../../app/domain/policy-status.ts';
import { hostReader, networkReader, shardReader } from '../../app/kubernetes/read-facts.ts';
import { policyReader } from '../../app/kubernetes/read-policy.ts';
import { reportReader } from '../../app/kubernetes/read-report.ts';
import { reportViewReader } from '../../app/kubernetes/read-views.ts';
import { EVENTS, HOSTS, NETWORKS, POLICIES, REPORTS, SHARDS } from '../../app/kubernetes/resources.ts';
import type { Reader } from '../../app/kubernetes/schema.ts';
import { createFact, createReport, deleteFact, replaceFact } from '../../app/kubernetes/write-facts.ts';
import { writePolicyStatus, writeReport } from '../../app/kubernetes/write-status.ts';
import { systemClock } from '../../app/runtime/clock.ts';
import { policyObject } from '../support/kubernetes-objects.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';

const address = (text: string): Address => parseAddress(text)!;
const prefix = (text: string): Prefix => parsePrefix(text)!;
const WORKER = 'worker-0' as HostName;

const NETWORK: NetworkSpec = {
  pools: [prefix('172.16.0.0/16'), prefix('fd00:16::/64')],
  parameters: { ...DEFAULT_PARAMETERS, caId: 'CN=starlingx, O=Example' },
  guardMode: 'observe',
};
const HOST: HostFact = {
  name: WORKER,
  addresses: [address('192.168.206.66'), address('fd00:206::66')],
  prefixes: [prefix('172.16.43.0/26'), prefix('172.16.192.80/32')],
};
const SHARD: ShardSpec = {
  namespace: 'kube-system',
  service: 'kube-dns',
  index: 0,
  clusterIps: [address('10.96.0.10')],
  servicePorts: [{ protocol: 'udp', port: 53 }],
  stages: [
    { protocol: 'tcp', port: 53, stage: 'prepare' },
    { protocol: 'udp', port: 53, stage: 'enforce' },
  ],
  endpoints: [
    {
      address: address('172.16.43.5'),
      host: WORKER,
      ports: [{ protocol: 'udp', port: 53 }],
      state: 'pending',
    },
  ],
};
const REPORT: HostReport = {
  host: WORKER,
  networkUid: 'a-uid',
  loaded: [{ name: 'kube-system.kube-dns.0', uid: 'b-uid', generation: 3 }],
  problems: [{ reason: 'PeerNotReached', subject: 'controller-0', message: 'no answer' }],
  peersNotReached: ['controller-0' as HostName],
  counters: { connections: 2, flows: 4, flowsInForce: 3, childSas: 1 },
  guard: { mode: 'enforce', state: 'enforce', rows: 5, holding: 3, repairs: 0, lastRepair: '' },
  charonVersion: '5.9.8',
};
const STATUS: PolicyStatus = {
  observedGeneration: 1,
  policies: 1,
  endpoints: 2,
  hosts: '2/3',
  conditions: [
    { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' },
    { type: 'Programmed', status: 'False', reason: 'Pending', message: 'waits for worker-0' },
  ],
  rows: [
    {
      ...{ name: 'kube-dns', service: 'kube-system/kube-dns', stage: 'protect', ports: ['udp/53'] },
      ...{ endpoints: 2, hosts: 3, hostsInForce: 2 },
    },
  ],
};

function valueOf<T>(reader: Reader<T>, object: unknown): T {
  const reading = reader(object);
  if (reading.kind !== 'value') expect.fail(JSON.stringify(reading));
  return reading.value;
}

function metadataOf(object: unknown): { uid: string; resourceVersion: string; generation: number } {
  return (object as { metadata: { uid: string; resourceVersion: string; generation: number } }).metadata;
}

function writes(client: Client): number {
  return [...client.sent]
    .filter(([key]) => !/^(get|list|watch) /.test(key))
    .reduce((sum, [, n]) => sum + n, 0);
}

describe('what is written to a real API server', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let client: Client;

  before(async () => {
    cluster = await startTestCluster();
  });
  after(async () => {
    await cluster.stop();
  });
  beforeEach(() => {
    client = new Client({ kubeconfig: cluster.adminKubeconfig });
  });
  afterEach(async () => {
    await client.close();
  });

  it('a network fact comes back as it was, with the uid of its object', async () => {
    const { uid } = metadataOf(await createFact(client, NETWORK_FACTS, NETWORK));
    const stored = await client.get(NETWORKS, { name: 'cluster' });
    expect(valueOf(networkReader(), stored)).to.deep.equal({ ...NETWORK, uid });
  });

  it('a host fact comes back as it was', async () => {
    await createFact(client, HOST_FACTS, HOST);
    expect(valueOf(hostReader(), await client.get(HOSTS, { name: WORKER }))).to.deep.equal(HOST);
  });

  it('a shard comes back as it was, with uid and generation', async () => {
    const { uid } = metadataOf(await createFact(client, SHARD_FACTS, SHARD));
    const name = 'kube-system.kube-dns.0';
    const stored = valueOf(shardReader(), await client.get(SHARDS, { name }));
    expect(stored).to.deep.equal({ ...SHARD, version: { name, uid, generation: 1 } });
  });

  it('a shard of 100 endpoints and 20 ports fits', async () => {
    const ports = Array.from({ length: 20 }, (_, i) => ({ protocol: 'tcp' as const, port: 1000 + i }));
    const endpoints = Array.from({ length: 100 }, (_, i) => ({
      ...{ address: address(`172.16.43.${i}`), host: WORKER, ports, state: 'active' as const },
    }));
    const big = { ...SHARD, service: 'big', endpoints };
    expect(valueOf(shardReader(), await createFact(client, SHARD_FACTS, big)).endpoints).to.deep.equal(
      endpoints,
    );
  });

  it('a fact is replaced from the version that was read, and from no other', async () => {
    const first = metadataOf(await createFact(client, HOST_FACTS, { ...HOST, name: 'a' as HostName }));
    const moved = { ...HOST, name: 'a' as HostName, prefixes: [] };
    const second = metadataOf(await replaceFact(client, HOST_FACTS, moved, first));
    expect(second.generation).to.equal(2);
    const stale = await replaceFact(client, HOST_FACTS, moved, first).catch((error: unknown) => error);
    expect(isConflict(stale) && (stale as ApiError).retry).to.equal('soon');
  });

  it('a fact is not deleted from another version, nor is its successor', async () => {
    const fact = { ...HOST, name: 'b' as HostName };
    const first = metadataOf(await createFact(client, HOST_FACTS, fact));
    const second = metadataOf(await replaceFact(client, HOST_FACTS, { ...fact, prefixes: [] }, first));
    const stale = await deleteFact(client, HOST_FACTS, 'b', first).catch((error: unknown) => error);
    expect(isConflict(stale)).to.equal(true);
    await deleteFact(client, HOST_FACTS, 'b', second);
    await deleteFact(client, HOST_FACTS, 'b', second);
    await createFact(client, HOST_FACTS, fact);
    const successor = await deleteFact(client, HOST_FACTS, 'b', second).catch((error: unknown) => error);
    expect(isConflict(successor)).to.equal(true);
  });

  it('a report is written by merge, read back equal, and not written again while it is equal', async () => {
    const early = await writeReport(client, REPORT, undefined).catch((error: unknown) => error);
    expect(isNotFound(early)).to.equal(true);
    await createReport(client, WORKER);
    expect(valueOf(reportReader(), await client.get(REPORTS, { name: WORKER }))).to.deep.equal({
      host: WORKER,
    });
    expect(await writeReport(client, REPORT, undefined)).to.equal(true);
    const stored = valueOf(reportReader(), await client.get(REPORTS, { name: WORKER }));
    expect(stored).to.deep.equal({ host: WORKER, report: REPORT });
    const view = valueOf(reportViewReader(), await client.get(REPORTS, { name: WORKER }));
    expect(view.writtenAt).to.match(/^\d{4}-.*Z$/);
    const before = writes(client);
    expect(await writeReport(client, { ...REPORT }, stored.report)).to.equal(false);
    expect(writes(client)).to.equal(before);
    await writeReport(client, { ...REPORT, loaded: [], problems: [] }, stored.report);
    const emptied = valueOf(reportReader(), await client.get(REPORTS, { name: WORKER }));
    expect(emptied.report).to.deep.include({ loaded: [], problems: [] });
  });

  it('a policy status is written once, and times of transition move with the status alone', async () => {
    await client.create(POLICIES, policyObject('status'));
    const read = async (): Promise<ReturnType<typeof current>> =>
      current(await client.get(POLICIES, { name: 'status' }));
    const current = (object: unknown) => ({
      name: 'status',
      read: metadataOf(object),
      current: valueOf(policyReader(), object).status,
    });
    const at = (time: string): typeof systemClock => ({ ...systemClock, now: () => Date.parse(time) });
    await writePolicyStatus(client, at('2026-01-01T00:00:00Z'), { ...(await read()), wanted: STATUS });
    const before = writes(client);
    const again = await writePolicyStatus(client, at('2026-01-02T00:00:00Z'), {
      ...(await read()),
      wanted: STATUS,
    });
    expect([again, writes(client)]).to.deep.equal([undefined, before]);

    const conditions = STATUS.conditions.map((condition) => ({ ...condition, status: 'True' as const }));
    await writePolicyStatus(client, at('2026-01-03T00:00:00Z'), {
      ...(await read()),
      wanted: { ...STATUS, hosts: '3/3', conditions },
    });
    const after = (await read()).current;
    expect(after?.hosts).to.equal('3/3');
    expect(after?.conditions.map(({ type, lastTransitionTime }) => [type, lastTransitionTime])).to.deep.equal(
      [
        ['Accepted', '2026-01-01T00:00:00Z'],
        ['Programmed', '2026-01-03T00:00:00Z'],
      ],
    );
  });

  it('a policy status from an old version of the policy is a conflict', async () => {
    const first = metadataOf(await client.create(POLICIES, policyObject('old')));
    await client.mergePatch(POLICIES, { name: 'old' }, { metadata: { labels: { a: 'b' } } });
    const write = { name: 'old', read: first, wanted: STATUS, current: undefined };
    const stale = await writePolicyStatus(client, systemClock, write).catch((error: unknown) => error);
    expect(isConflict(stale)).to.equal(true);
  });

  it('what is said for the first time makes one event, also after a restart', async () => {
    const { uid } = metadataOf(await client.create(POLICIES, policyObject('eventful')));
    const regarding = { resource: POLICIES, name: 'eventful', uid };
    const problem: Problem = {
      reason: 'ServiceNotFound',
      subject: 'kube-system/kube-dns',
      message: 'there is no such service',
    };
    const start = (): ReturnType<typeof eventRecorder> =>
      eventRecorder({ client, clock: systemClock, component: 'manager', instance: 'pod' });
    const first = { ...problem, type: 'Warning', isRepeated: false } as const;
    await start().say(regarding, first);
    await start().say(regarding, first);
    await start().say(regarding, { ...first, reason: 'NoAgents' });
    await start().say(regarding, { ...first, type: 'Normal', reason: 'Recovered', isRepeated: true });
    const { items } = await client.list(EVENTS, {});
    const ours = (items as { regarding: { uid: string }; reason: string; note: string }[])
      .filter((event) => event.regarding.uid === uid)
      .map(({ reason, note }) => ({ reason, note }));
    expect(ours.map(({ reason }) => reason).sort()).to.deep.equal([
      'NoAgents',
      'Recovered',
      'ServiceNotFound',
    ]);
    expect(ours[0]?.note).to.equal('kube-system/kube-dns: there is no such service');
  });

  it('300 requests one after another use one connection, and many at once no more than the limit', async () => {
    let opened = 0;
    const count = (): void => void (opened += 1);
    subscribe('undici:client:connected', count);
    try {
      for (let i = 0; i < 300; i += 1) await client.list(HOSTS, { limit: '1' });
      expect(opened).to.be.at.most(2);
      await Promise.all(Array.from({ length: 300 }, () => client.list(HOSTS, { limit: '1' })));
      expect(opened).to.be.at.most(24);
    } finally {
      unsubscribe('undici:client:connected', count);
    }
    expect(client.sent.get('list ipsechosts')).to.equal(600);
  });

  it('a client without rights is told so, and may try again', async () => {
    const stranger = new Client({ kubeconfig: cluster.kubeconfig('stranger', []) });
    const refused = await stranger.list(HOSTS, {}).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(ApiError);
    expect(refused).to.include({ status: 403, reason: 'Forbidden', retry: 'soon' });
    await stranger.close();
  });

  it('a server that is not there is an ApiError without status', async () => {
    const lost = new Client({ kubeconfig: cluster.adminKubeconfig });
    await cluster.stopApiServer();
    const result = await lost.list(HOSTS, {}).catch((error: unknown) => error);
    await cluster.restartApiServer();
    expect(result).to.include({ status: 0, reason: 'NoAnswer', retry: 'soon' });
    await lost.close();
  });
});
