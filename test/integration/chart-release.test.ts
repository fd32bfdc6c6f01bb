import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { isNotFound } from '../../app/kubernetes/api-error.ts';
import { Client } from '../../app/kubernetes/client.ts';
import { POLICIES } from '../../app/kubernetes/resources.ts';
import { CALICO_CRDS } from '../support/calico-crds.ts';
import { CHART, helmBinary, RELEASE, run, type Major, type Outcome } from '../support/helm.ts';
import { policyObject } from '../support/kubernetes-objects.ts';
import { startWithdraw } from '../support/programs.ts';
import { kubectl, serviceAccountKubeconfig } from '../support/service-accounts.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { CRDS, type TestCluster } from '../support/test-cluster.ts';
import { until } from '../support/until.ts';

const OURS = ['--selector', 'app.kubernetes.io/part-of=ipsec-policy-operator'];
const KINDS = [
  'serviceaccounts,roles,rolebindings,deployments,daemonsets,jobs',
  'clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings',
].join(',');

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status: { readonly phase: string };
  }[];
}

/**
 * The life of a release: the real API server and the real Job controller. The test is the kubelet of one pod, the hook's: it runs
 * the command with the pod's own token and says how it ended.
 */
describe('release of the chart', () => {
  let dir: string;
  let cluster: TestCluster;

  const helm = (major: Major, ...args: readonly string[]): Promise<Outcome> =>
    run(helmBinary(major), [...['--kubeconfig', cluster.adminKubeconfig, '--namespace', RELEASE], ...args]);
  const names = async (kinds: string, ...args: readonly string[]): Promise<string[]> => {
    const said = await kubectl(cluster, ['get', kinds, '--all-namespaces', '-o', 'name', ...args]);
    return said.split('\n').filter((line) => line !== '');
  };
  const ourCrds = async (): Promise<string[]> =>
    (await names('customresourcedefinitions')).filter((name) => name.endsWith('.starlingx.io'));
  const replicas = async (): Promise<string> =>
    kubectl(cluster, [
      ...['get', 'deployment', 'ipsec-policy-manager', '--namespace', RELEASE],
      ...['-o', 'jsonpath={.spec.replicas}'],
    ]);

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'chart-release-'));
    const controlPlane = await startControlPlane({
      controllerManager: true,
      controllers: ['job-controller', 'garbage-collector-controller', 'namespace-controller'],
    });
    cluster = { ...controlPlane, admin: new Client({ kubeconfig: controlPlane.adminKubeconfig }) };
    await Promise.all(CALICO_CRDS.map((crd) => cluster.admin.create(CRDS, crd)));
    await kubectl(cluster, ['create', 'namespace', RELEASE]);
  });

  after(async () => {
    await cluster.admin.close();
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is installed', async () => {
    const { exitCode, stderr } = await helm(3, 'install', RELEASE, CHART);
    expect(exitCode, stderr).to.equal(0);
    expect(await ourCrds()).to.have.length(5);
    expect(await names(KINDS, ...OURS)).to.include('deployment.apps/ipsec-policy-manager');
    expect(await replicas()).to.equal('1');
    await until('policies can be made', async () => {
      try {
        await cluster.admin.create(POLICIES, policyObject('sample'));
        return true;
      } catch (error) {
        if (!isNotFound(error)) throw error;
        return false;
      }
    });
  });

  it('keeps what it was when a value is wrong', async () => {
    const { exitCode, stderr } = await helm(3, 'upgrade', RELEASE, CHART, '--set', 'manager.replicas=two');
    expect(exitCode).not.to.equal(0);
    expect(stderr).to.contain('replicas');
    expect(await replicas()).to.equal('1');
    expect((await helm(3, 'history', RELEASE)).stdout.trim().split('\n')).to.have.length(2);
  });

  it('is upgraded with a changed value, the policies stay', async () => {
    const { exitCode, stderr } = await helm(4, 'upgrade', RELEASE, CHART, '--set', 'manager.replicas=2');
    expect(exitCode, stderr).to.equal(0);
    expect(await replicas()).to.equal('2');
    expect((await cluster.admin.list(POLICIES, {})).items).to.have.length(1);
  });

  it('is uninstalled after its hook has withdrawn, and nothing is left', async () => {
    const uninstalled = helm(3, 'uninstall', RELEASE, '--timeout', '100s');
    const said = await runHook();
    expect(said).to.contain('"policy":"sample"').and.to.contain('"msg":"withdrawn"');
    const { exitCode, stderr } = await uninstalled;
    expect(exitCode, stderr).to.equal(0);
    await until('all is gone', async () => {
      const left = [...(await names(KINDS, ...OURS)), ...(await ourCrds())];
      return left.length === 0;
    });
    expect(await names('secrets', '--selector', 'owner=helm')).to.deep.equal([]);
    expect(await names('leases', '--field-selector', `metadata.namespace=${RELEASE}`)).to.deep.equal([
      'lease.coordination.k8s.io/ipsec-policy-manager',
    ]);
  });

  /** What a kubelet would do with the pod of the hook; gives its log. */
  async function runHook(): Promise<string> {
    let pod = '';
    await until('the Job has its pod', async () => {
      const selector = 'app.kubernetes.io/component=withdraw';
      const args = ['get', 'pods', '--namespace', RELEASE, '--selector', selector, '-o', 'json'];
      pod = (JSON.parse(await kubectl(cluster, args)) as PodList).items[0]?.metadata.name ?? '';
      return pod !== '';
    });
    const kubeconfig = await serviceAccountKubeconfig(cluster, {
      namespace: RELEASE,
      serviceAccount: 'ipsec-policy-withdraw',
      pod,
    });
    const logFile = join(dir, 'withdraw.log');
    const program = startWithdraw({ kubeconfig, logFile, env: { POD_NAMESPACE: RELEASE } });
    await until('withdraw has ended', () => program.exited());
    const terminated = { exitCode: program.exitCode(), reason: 'Completed' };
    const status = {
      phase: program.exitCode() === 0 ? 'Succeeded' : 'Failed',
      containerStatuses: [
        { name: 'withdraw', image: '', imageID: '', ready: false, restartCount: 0, state: { terminated } },
      ],
    };
    await kubectl(cluster, [
      ...['patch', 'pod', pod, '--namespace', RELEASE, '--subresource=status', '--type=merge'],
      ...['--patch', JSON.stringify({ status })],
    ]);
    return readFileSync(logFile, 'utf8');
  }
});
