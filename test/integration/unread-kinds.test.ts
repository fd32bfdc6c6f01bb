// A manager that may not, or cannot, list what it plans from: it plans nothing, says which kind is missing and which is
// forbidden, and goes on by itself when that has changed.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { NETWORKS, POLICIES, SHARDS } from '../../app/kubernetes/resources.ts';
import type { Child } from '../support/child.ts';
import { policyObject } from '../support/kubernetes-objects.ts';
import { startManager } from '../support/programs.ts';
import { kubectl } from '../support/service-accounts.ts';
import { addCalico, startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { createKubeDns, createSeedCluster } from '../support/three-hosts.ts';
import { until } from '../support/until.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

const CALICO = ['ippools', 'ipamblocks', 'blockaffinities'];

/** The back-off of a watch has grown to some seconds by then, and may reach 30. */
const COMES_BACK_MS = 60_000;

describe('a manager without a kind it needs', function () {
  this.timeout(120_000);
  let dir: string;
  let cluster: TestCluster;
  let manager: Child;

  const logLines = (): Readonly<Record<string, unknown>>[] =>
    readFileSync(join(dir, 'manager.log'), 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const logged = (msg: string, resource: string): Readonly<Record<string, unknown>>[] =>
    logLines().filter((line) => line['msg'] === msg && line['resource'] === resource);
  const readyz = async (): Promise<{ readonly status: number; readonly text: string }> => {
    const started = logLines().find(({ msg }) => msg === 'manager started');
    const answer = await fetch(`http://127.0.0.1:${String(started?.['healthPort'])}/readyz`);
    return { status: answer.status, text: await answer.text() };
  };
  const conditions = async (): Promise<readonly Condition[]> => {
    const policy = (await cluster.admin.get(POLICIES, { name: 'sample' })) as {
      readonly status?: { readonly conditions?: readonly Condition[] };
    };
    return policy.status?.conditions ?? [];
  };
  const programmed = async (): Promise<Condition | undefined> =>
    (await conditions()).find(({ type }) => type === 'Programmed');
  /** The manager's rights as the chart gives them, but for some resources. */
  const grant = async (without: readonly string[]): Promise<void> => {
    const resources = (names: readonly string[]): string[] => names.filter((name) => !without.includes(name));
    const rules = [
      { apiGroups: ['starlingx.io', 'coordination.k8s.io', 'events.k8s.io'], resources: ['*'], verbs: ['*'] },
      {
        apiGroups: ['', 'discovery.k8s.io', 'crd.projectcalico.org'],
        resources: resources(['services', 'nodes', 'endpointslices', ...CALICO]),
        verbs: ['list', 'watch'],
      },
    ];
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' };
    await kubectl(cluster, ['apply', '-f', '-'], { ...role, metadata: { name: 'manager' }, rules });
  };

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'unread-kinds-'));
    cluster = await startTestCluster({ calico: false });
    await grant(['endpointslices']);
    await kubectl(cluster, [
      ...['create', 'clusterrolebinding', 'manager', '--clusterrole=manager', '--user=manager'],
    ]);
    await cluster.admin.create(POLICIES, policyObject('sample'));
    manager = startManager({
      kubeconfig: cluster.kubeconfig('manager', []),
      logFile: join(dir, 'manager.log'),
    });
  });

  after(async () => {
    await manager.kill();
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('tells a kind that is missing from one that is forbidden, in condition, readiness and log', async () => {
    const missing = /does not serve ippools\.crd\.projectcalico\.org: install Calico/;
    const forbidden = /may not list endpointslices\.discovery\.k8s\.io: its ClusterRole/;
    await until('the policy names both', async () => {
      const message = (await programmed())?.message ?? '';
      return (
        message.includes('does not serve ippools.crd.projectcalico.org: install Calico') &&
        message.includes('may not list endpointslices.discovery.k8s.io: its ClusterRole')
      );
    });
    expect(await programmed()).to.include({ status: 'Unknown', reason: 'KindForbidden' });
    const { status, text } = await readyz();
    expect(status).to.equal(503);
    expect(text).to.match(missing).and.match(forbidden);
    const said = 'cannot read a kind; nothing is planned';
    expect(logged(said, 'ippools.crd.projectcalico.org')).to.have.length(1);
    expect(logged(said, 'endpointslices.discovery.k8s.io')).to.have.length(1);
    expect((await cluster.admin.list(NETWORKS, {})).items).to.deep.equal([]);
  });

  it('goes on waiting while only the missing kinds have come', async () => {
    await addCalico(cluster.admin);
    await createSeedCluster(cluster.admin);
    await createKubeDns(cluster.admin);
    await until(
      'only the slices are waited for',
      async () => {
        const message = (await programmed())?.message ?? '';
        return message.includes('endpointslices') && !message.includes('projectcalico');
      },
      COMES_BACK_MS,
    );
    expect((await cluster.admin.list(NETWORKS, {})).items).to.deep.equal([]);
    expect(logged('can read a kind now', 'ippools.crd.projectcalico.org')).to.have.length(1);
  });

  it('plans as soon as everything can be read', async () => {
    await grant([]);
    await until(
      'the shard is there',
      async () => (await cluster.admin.list(SHARDS, {})).items.length === 1,
      COMES_BACK_MS,
    );
    await until('the conditions say so', async () => (await programmed())?.status === 'False');
    expect((await conditions()).find(({ type }) => type === 'ResolvedRefs')?.status).to.equal('True');
    expect((await readyz()).status).to.equal(200);
  });
});
