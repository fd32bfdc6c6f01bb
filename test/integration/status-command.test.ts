import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { Client } from '../../app/kubernetes/client.ts';
import { POLICIES, REPORTS } from '../../app/kubernetes/resources.ts';
import type { Child } from '../support/child.ts';
import { policyObject } from '../support/kubernetes-objects.ts';
import { renderedObjects } from '../support/helm.ts';
import { nativeCharonMissing, startNativeCharon, type NativeCharon } from '../support/native-charon.ts';
import { startManager, startQuickAgent } from '../support/programs.ts';
import { runCommand, type Ended } from '../support/run-command.ts';
import { kubectl, serviceAccountKubeconfig } from '../support/service-accounts.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { createKubeDns, createSeedCluster, SEED_HOSTS } from '../support/three-hosts.ts';
import { until } from '../support/until.ts';

const VIEW = 'ipsec-policy-operator-view';

/** One manager, three agents, three real charons (without peers), a real API server; and somebody who asks. */
describe('status in a cluster', () => {
  let dir: string;
  let cluster: TestCluster;
  let manager: Child;
  const charons = new Map<string, NativeCharon>();
  const agents = new Map<string, Child>();

  const status = (...args: string[]): Promise<Ended> =>
    runCommand(['status', '--namespace', 'kube-system', ...args], { KUBECONFIG: cluster.adminKubeconfig });
  const untilStatus = async (what: string, isSo: (ended: Ended) => boolean): Promise<Ended> => {
    let last: Ended | undefined;
    await until(what, async () => isSo((last = await status())), 30_000).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(last)}`);
    });
    return last!;
  };

  before(async function () {
    if (nativeCharonMissing() !== undefined) this.skip();
    dir = mkdtempSync(join(tmpdir(), 'status-'));
    cluster = await startTestCluster();
    await createSeedCluster(cluster.admin);
    for (const { name } of SEED_HOSTS) {
      mkdirSync(join(dir, name));
      charons.set(name, await startNativeCharon());
    }
  });

  after(async () => {
    await Promise.all([manager, ...agents.values()].map((child) => child.kill()));
    await Promise.all([...charons.values()].map((charon) => charon.stop()));
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('says that no manager leads and no host has reported', async () => {
    await cluster.admin.create(POLICIES, policyObject('sample', [{ serviceports: 'udp/53,tcp/53' }]));
    const { code, stdout, stderr } = await status();
    expect([code, stderr]).to.deep.equal([1, '']);
    expect(stdout).to.match(/^0 of 1 policy in force.* No manager leads\.$/m);
    expect(stdout).to.contain('Check the pods of the Deployment ipsec-policy-manager.');
  });

  it('names a missing service, and what each host says', async () => {
    manager = startManager({
      kubeconfig: cluster.adminKubeconfig,
      logFile: join(dir, 'manager.log'),
      env: { POD_NAME: 'manager-1' },
    });
    for (const { name } of SEED_HOSTS)
      agents.set(
        name,
        startQuickAgent(name, { dir, charon: charons.get(name)!, kubeconfig: cluster.adminKubeconfig }),
      );
    const { stdout } = await untilStatus(
      'the service is said to be missing',
      ({ code, stdout: text }) => code === 1 && text.includes('ServiceNotFound'),
    );
    expect(stdout).to.match(/^0 of 1 policy in force.* Manager: manager-1\.$/m);
    expect(stdout).to.match(/^sample +ServiceNotFound +\d+s +0\/3 +kube-system\/kube-dns +- +- +0$/m);
  });

  it('says 0 when all is in force, in few requests', async () => {
    await createKubeDns(cluster.admin);
    const { stdout } = await untilStatus('all is in force', ({ code }) => code === 0);
    expect(stdout).to.match(/^1 of 1 policy in force\. Manager: manager-1\.$/m);
    expect(stdout).to.match(
      /^sample +in force +\d+s +3\/3 +kube-system\/kube-dns +enforce +tcp\/53,udp\/53 +2$/m,
    );
    for (const { name } of SEED_HOSTS)
      expect(stdout).to.match(
        new RegExp(`^${name} +ok +Ready +unknown +5\\.\\d+\\.\\S+ +\\S+ +\\d+/\\d+ +0 +\\d+s$`, 'm'),
      );
    expect(stdout).not.to.contain('What is wrong');
    expect(stdout).not.to.contain('\u001b');
  });

  it('prints the same as data', async () => {
    const json = JSON.parse((await status('-o', 'json')).stdout) as { verdict: string; hosts: object[] };
    expect(json.verdict).to.equal('well');
    expect(json.hosts).to.have.length(3);
    const yaml = load((await status('--output', 'yaml')).stdout);
    expect(yaml).to.deep.equal(json);
  });

  it('narrows to a host or a policy, and knows no others', async () => {
    const host = await status('--host', 'worker-0');
    expect(host.code).to.equal(0);
    expect(host.stdout).to.match(/^sample +in force +\d+s +1\/1 /m);
    expect(host.stdout).not.to.contain('controller-0');
    expect(await status('--host', 'worker-9')).to.deep.equal({
      code: 64,
      stdout: '',
      stderr: 'error: no host "worker-9" has an agent; there are controller-0, controller-1, worker-0\n',
    });
    expect(await status('--policy', 'other')).to.deep.equal({
      code: 64,
      stdout: '',
      stderr: 'error: there is no IPsecPolicy "other"; there is sample\n',
    });
  });

  it('a host whose charon is gone is worst, first, and named with what it lacks', async () => {
    await charons.get('worker-0')!.stop();
    const { stdout } = await untilStatus(
      'worker-0 is a problem',
      ({ code, stdout: text }) => code === 1 && /^sample +CharonUnreachable/m.test(text),
    );
    expect(stdout).to.match(/HOST .*\nworker-0 +problem +Ready +unknown +unreachable /);
    expect(stdout).to.match(
      /^ {2}policy sample: worker-0 lacks kube-system\.kube-dns\.0 .*it reports CharonUnreachable of charon/m,
    );
    expect((await status('--host', 'controller-0')).code).to.equal(0);
    expect((await status('--policy', 'sample')).stdout).not.to.match(/^controller-0 /m);
  });

  it('says which right is missing; with ipsec-policy-operator-view it reads all it needs', async () => {
    await kubectl(cluster, ['create', 'serviceaccount', 'viewer', '--namespace', 'default']);
    const account = { namespace: 'default', serviceAccount: 'viewer' };
    const kubeconfig = await serviceAccountKubeconfig(cluster, account);
    const look = (): Promise<Ended> =>
      runCommand(['status', '-n', 'kube-system', '--kubeconfig', kubeconfig, '--host', 'controller-0']);
    const refused = await look();
    expect(refused.code).to.equal(2);
    expect(refused.stderr).to.match(
      /^error: you may not read \S+\.starlingx\.io: ask for the ClusterRole ipsec-policy-operator-view\n$/,
    );
    const role = (await renderedObjects()).find(({ metadata }) => metadata.name === VIEW);
    await kubectl(cluster, ['apply', '-f', '-'], role);
    await kubectl(cluster, [
      'create',
      'clusterrolebinding',
      VIEW,
      '--clusterrole',
      VIEW,
      '--serviceaccount',
      'default:viewer',
    ]);
    await until('the role counts', async () => (await look()).code === 0);
    const { stdout } = await look();
    expect(stdout).to.match(/Manager: manager-1\.\n/);
    expect(stdout).to.match(/^controller-0 +ok +unknown +unknown /m);
    expect(stdout).to.contain('Whether the pods of agents run is not known (no right to read them).');
  });

  it('says in one line what is in the way', async () => {
    const wrong = await runCommand(['status', '--kubeconfig', '/no/such/file']);
    expect([wrong.code, wrong.stdout]).to.deep.equal([2, '']);
    expect(wrong.stderr).to.equal('error: the kubeconfig /no/such/file cannot be used: ENOENT\n');
    const none = await runCommand(['status']);
    expect([none.code, none.stderr.startsWith('error: no cluster: set KUBECONFIG')]).to.deep.equal([2, true]);
  });

  it('asks each kind once', async () => {
    const { readCluster } = await import('../../app/commands/read-cluster.ts');
    const client = new Client({ kubeconfig: cluster.adminKubeconfig });
    await readCluster({ client, namespace: 'kube-system', nowMs: Date.now() });
    expect([...client.sent.values()]).to.deep.equal([1, 1, 1, 1, 1, 1, 1, 1]);
    expect([...client.sent.keys()].every((key) => /^(list|get) /.test(key))).to.equal(true);
    await client.close();
  });

  it('without our kinds says that it is not installed', async () => {
    await kubectl(cluster, ['delete', 'crd', `${REPORTS.plural}.${REPORTS.group}`]);
    await until('it is gone', async () => (await status()).stderr.includes('is not installed'));
    const { code, stderr } = await status();
    expect(code).to.equal(2);
    expect(stderr).to.equal(
      'error: the cluster does not know IPsecHostReport (starlingx.io/v1alpha1): ipsec-policy-operator is not installed\n',
    );
  });
});
