import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { PODS, POLICIES } from '../../app/kubernetes/resources.ts';
import { connectCharon } from '../../app/vici/charon.ts';
import type { Child } from '../support/child.ts';
import { serveExec, startExecKubelet, type ExecKubelet } from '../support/exec-kubelet.ts';
import { policyObject } from '../support/kubernetes-objects.ts';
import { nativeCharonMissing, startNativeCharon, type NativeCharon } from '../support/native-charon.ts';
import { startManager, startQuickAgent } from '../support/programs.ts';
import { runCommand, type Ended } from '../support/run-command.ts';
import { kubectl, serviceAccountKubeconfig } from '../support/service-accounts.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { createKubeDns, createSeedCluster, SEED_HOSTS } from '../support/three-hosts.ts';
import { until } from '../support/until.ts';

const NAMESPACE = 'kube-system';
const SERVICE = 'kube-system/kube-dns';

interface Judged {
  readonly verdict: string;
  readonly pairs: readonly {
    readonly verdict: string;
    readonly clientChild: string;
    readonly endpointChild: string;
  }[];
}

/** Three agents with real charons and no guard, a real API server, and a stand-in for the kubelet's exec. */
describe('verify in a cluster', () => {
  let dir: string;
  let cluster: TestCluster;
  let kubelet: ExecKubelet;
  let manager: Child;
  const charons = new Map<string, NativeCharon>();
  const agents = new Map<string, Child>();

  const verify = (...args: string[]): Promise<Ended> =>
    runCommand(['verify', '-n', NAMESPACE, '--seconds', '1', ...args], {
      KUBECONFIG: cluster.adminKubeconfig,
    });
  const verdict = async (): Promise<Judged> =>
    JSON.parse((await verify(SERVICE, '-o', 'json')).stdout) as Judged;
  const inspectOf = (host: string): Promise<Ended> =>
    runCommand(['inspect'], {
      NODE_NAME: host,
      VICI_SOCKET: charons.get(host)!.path,
      CONF_FILE: join(dir, host, 'k8s-nodes.conf'),
      HEALTH_PORT: '1',
    });

  before(async function () {
    if (nativeCharonMissing() !== undefined) this.skip();
    dir = mkdtempSync(join(tmpdir(), 'verify-'));
    cluster = await startTestCluster();
    await createSeedCluster(cluster.admin);
    kubelet = await startExecKubelet(join(dir, 'kubelet'), async ({ pod }) => {
      const { code, stdout, stderr } = await inspectOf(pod.replace('agent-', ''));
      return { exitCode: code, stdout, stderr };
    });
    await kubectl(cluster, ['create', 'serviceaccount', 'default', '-n', NAMESPACE]);
    for (const { name } of SEED_HOSTS) {
      mkdirSync(join(dir, name));
      charons.set(name, await startNativeCharon());
      await serveExec(cluster, name, kubelet.port);
      await makeAgentPod(cluster, name);
      agents.set(
        name,
        startQuickAgent(name, { dir, charon: charons.get(name)!, kubeconfig: cluster.adminKubeconfig }),
      );
    }
    manager = startManager({ kubeconfig: cluster.adminKubeconfig, logFile: join(dir, 'manager.log') });
  });

  after(async () => {
    await Promise.all([manager, ...agents.values()].map((child) => child.kill()));
    await Promise.all([...charons.values()].map((charon) => charon.stop()));
    await kubelet.stop();
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('says that a service without a policy is not protected', async () => {
    const { code, stdout } = await verify('default/web');
    expect(code).to.equal(1);
    expect(stdout).to.equal(
      'default/web: PLAINTEXT\n\n  No IPsecPolicy protects it, if it exists; nothing is protected.\n',
    );
  });

  it('with traps at both ends and neither guard nor traffic, it cannot tell: charon’s word is no proof', async () => {
    await createKubeDns(cluster.admin);
    await cluster.admin.create(POLICIES, policyObject('sample', [{ serviceports: 'udp/53' }]));
    await until(
      'traps are there',
      async () =>
        (await verdict()).pairs.every(
          ({ clientChild, endpointChild }) => clientChild === 'trap' && endpointChild === 'trap',
        ),
      60_000,
    );
    const { code, stdout } = await verify(SERVICE);
    expect(code).to.equal(2);
    expect(stdout).to.match(
      /^kube-system\/kube-dns \(udp\/53 enforce\): UNKNOWN on 4 of 4 ways between hosts; traffic in tunnels on 0 of them in 1 s$/m,
    );
    expect(stdout).to.match(
      /^UNKNOWN +worker-0 +172\.16\.192\.115 +controller-0 +udp\/53 +trap +trap +none +none seen$/m,
    );
    expect(stdout).to.contain(
      "that both ends are ready is charon's word alone. Send traffic, or use --probe-from.",
    );
  });

  it('sees through charon that a child is gone: plaintext, when no guard holds', async () => {
    for (const child of agents.values()) child.signal('SIGSTOP');
    const charon = await connectCharon({ path: charons.get('worker-0')!.path, timeoutMs: 5000 });
    await charon.unloadConnection('k8s-node-controller-0');
    charon.close();
    const { code, stdout } = await verify(SERVICE);
    expect(code).to.equal(1);
    expect(stdout).to.match(/PACKETS\nPLAINTEXT +worker-0 +172\.16\.192\.115 .* absent +trap +none/);
    expect(stdout).to.contain(
      'PLAINTEXT worker-0 to 172.16.192.115 udp/53: worker-0 has not loaded it and no guard holds',
    );
  });

  it('names a host that cannot be asked, and does not guess', async () => {
    await charons.get('controller-1')!.stop();
    const { stdout } = await verify(SERVICE);
    expect(stdout).to.match(/^UNKNOWN +worker-0 +172\.16\.166\.178 +controller-1 +udp\/53 +trap +not read/m);
    await kubectl(cluster, ['delete', 'pod', 'agent-controller-0', '-n', NAMESPACE, '--force']);
    expect((await verify(SERVICE)).stdout).to.contain('no pod of the agent runs there');
  });

  it('says why when a kubelet does not answer, or the caller may not exec', async () => {
    await serveExec(cluster, 'worker-0', 1);
    expect((await verify(SERVICE)).stdout).to.match(
      /charon of worker-0 cannot be asked \(exec .*agent-worker-0/,
    );
    await serveExec(cluster, 'worker-0', kubelet.port);
    await kubectl(cluster, ['create', 'serviceaccount', 'viewer', '-n', NAMESPACE]);
    const rules = ['ipsecpolicies', 'ipsecnetworks', 'ipsechosts', 'ipsecservices', 'ipsechostreports']
      .map((name) => `${name}.starlingx.io`)
      .join(',');
    await kubectl(cluster, ['create', 'clusterrole', 'reader', '--verb=list', `--resource=pods,${rules}`]);
    await kubectl(cluster, [
      ...['create', 'clusterrolebinding', 'reader', '--clusterrole=reader'],
      `--serviceaccount=${NAMESPACE}:viewer`,
    ]);
    const kubeconfig = await serviceAccountKubeconfig(cluster, {
      namespace: NAMESPACE,
      serviceAccount: 'viewer',
    });
    const asViewer = (): Promise<Ended> => verify(SERVICE, '--kubeconfig', kubeconfig);
    await until(
      'the role counts',
      async () => (await asViewer()).stderr === '' || (await asViewer()).stdout !== '',
    );
    const { code, stdout } = await asViewer();
    expect(code).to.equal(2);
    expect(stdout).to.contain('cannot be asked (no right to exec into the pods of agents');
  });

  it('says what is wrong with a call', async () => {
    for (const [args, says] of [
      [['kube-dns'], 'error: "kube-dns" is not NAMESPACE/SERVICE: write for example kube-system/kube-dns\n'],
      [[SERVICE, '--seconds', '0'], 'error: --seconds 0: give a number from 1 to 600\n'],
    ] as const) {
      const { code, stderr } = await runCommand(['verify', ...args]);
      expect([code, stderr]).to.deep.equal([64, says]);
    }
  });
});

async function makeAgentPod(cluster: TestCluster, host: string): Promise<void> {
  await cluster.admin.create(
    PODS,
    {
      metadata: {
        name: `agent-${host}`,
        labels: { 'app.kubernetes.io/name': 'ipsec-policy-operator', 'app.kubernetes.io/component': 'agent' },
      },
      spec: { nodeName: host, containers: [{ name: 'agent', image: 'none' }] },
    },
    NAMESPACE,
  );
}
