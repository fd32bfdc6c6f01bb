import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { HOSTS, PODS, POLICIES, SERVICES } from '../../app/kubernetes/resources.ts';
import { serveExec, startExecKubelet, type ExecKubelet } from '../support/exec-kubelet.ts';
import { policyObject } from '../support/kubernetes-objects.ts';
import { runCommand, type Ended } from '../support/run-command.ts';
import { kubectl } from '../support/service-accounts.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { createKubeDns, createSeedCluster } from '../support/three-hosts.ts';

const NAMESPACE = 'kube-system';
const PLANTED = 'PLANTED-and-must-not-leave';
const KEY = `-----BEGIN PRIVATE KEY-----\n${PLANTED}\n-----END PRIVATE KEY-----`;
const LABELS = { 'app.kubernetes.io/name': 'ipsec-policy-operator', 'app.kubernetes.io/component': 'agent' };

/** What controller-0 has: the rest of what a bundle is made of is real. */
const EVIDENCE = {
  format: 1,
  host: 'controller-0',
  takenAt: '2026-01-01T00:00:00.000Z',
  localInterfaces: 'cali*',
  charon: {
    said: {
      version: { daemon: 'charon', version: '5.9.8', sysname: 'Linux', release: '6.12' },
      connections: [{ 'system-nodes': { local_addrs: ['192.168.206.2'] } }],
      sas: [],
      policies: [],
      stats: { uptime: { running: '1 hour' } },
    },
  },
  file: { said: `# k8s-nodes.conf\n# ${KEY}\n` },
  guard: { failed: 'nft: Operation not permitted' },
  metrics: { said: 'ipsec_policy_flows_not_in_force 0\n' },
};

describe('support-bundle in a cluster', () => {
  let dir: string;
  let cluster: TestCluster;
  let kubelet: ExecKubelet;

  const bundle = (file: string): Promise<Ended> =>
    runCommand(['support-bundle', '-n', NAMESPACE, '-o', file], { KUBECONFIG: cluster.adminKubeconfig });

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'support-bundle-'));
    cluster = await startTestCluster();
    await createSeedCluster(cluster.admin);
    await createKubeDns(cluster.admin);
    await cluster.admin.create(POLICIES, policyObject('sample'));
    for (const name of ['controller-0', 'worker-0'])
      await cluster.admin.create(HOSTS, { metadata: { name }, spec: { addresses: [], prefixes: [] } });
    kubelet = await startExecKubelet(
      join(dir, 'kubelet'),
      () => Promise.resolve({ exitCode: 0, stdout: JSON.stringify(EVIDENCE), stderr: '' }),
      () =>
        `{"level":"warn","msg":"odd"}\n{"msg":${JSON.stringify(KEY)}}\nAuthorization: Bearer ${PLANTED}\n`,
    );
    await serveExec(cluster, 'controller-0', kubelet.port);
    await kubectl(cluster, ['create', 'serviceaccount', 'default', '-n', NAMESPACE]);
    await kubectl(cluster, [
      'create',
      'secret',
      'generic',
      's',
      '-n',
      NAMESPACE,
      `--from-literal=password=${PLANTED}`,
    ]);
    await cluster.admin.mergePatch(
      SERVICES,
      { namespace: NAMESPACE, name: 'kube-dns' },
      { metadata: { annotations: { note: PLANTED } } },
    );
    await cluster.admin.create(
      PODS,
      {
        metadata: { name: 'agent-controller-0', labels: LABELS, annotations: { note: PLANTED } },
        spec: {
          nodeName: 'controller-0',
          containers: [
            {
              name: 'agent',
              image: 'none',
              env: [
                { name: 'LOG_LEVEL', value: 'info' },
                { name: 'REGISTRY_PASSWORD', value: PLANTED },
              ],
            },
          ],
        },
      },
      NAMESPACE,
    );
  });

  after(async () => {
    await kubelet.stop();
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('has objects, settings, what hosts have and logs, and nothing that is secret', async () => {
    const file = join(dir, 'one.tar.gz');
    const { code, stdout, stderr } = await bundle(file);
    expect([code, stdout]).to.deep.equal([2, '']);
    expect(stderr).to.contain('left out: what worker-0 has: no pod of the agent runs there\n');
    expect(stderr).to.contain('left out: guard of controller-0: nft: Operation not permitted\n');
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    const folder = join(dir, 'one');
    mkdirSync(folder);
    execFileSync('tar', ['-xzf', file, '-C', folder]);
    const files = execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).trim().split('\n');
    expect(files).to.include.members([
      'cluster/endpointslices.yaml',
      'cluster/nodes.yaml',
      'cluster/services.yaml',
      'hosts/controller-0/charon-connections.yaml',
      'hosts/controller-0/k8s-nodes.conf',
      'hosts/controller-0/metrics.txt',
      'logs/agent-controller-0.log',
      'missing.txt',
      'objects/ipsecpolicies.yaml',
      'settings/pods.yaml',
      'status.txt',
      'version.yaml',
    ]);
    const texts = new Map(files.map((path) => [path, readFileSync(join(folder, path), 'utf8')]));
    for (const [path, text] of texts) expect(text, path).not.to.contain(PLANTED);
    expect(texts.get('objects/ipsecpolicies.yaml')).to.contain('servicename: kube-dns');
    expect(texts.get('settings/pods.yaml')).to.contain('LOG_LEVEL');
    expect(texts.get('logs/agent-controller-0.log')).to.contain('"msg":"odd"');
    expect(texts.get('hosts/controller-0/k8s-nodes.conf')).to.contain('[private key left out]');
    expect(texts.get('missing.txt')).to.contain('worker-0');
  });

  it('is the same again where nothing changed, and never overwrites one', async () => {
    const [first, second] = [join(dir, 'two.tar.gz'), join(dir, 'three.tar.gz')];
    await bundle(first);
    await bundle(second);
    expect(readFileSync(first).equals(readFileSync(second))).to.equal(true);
    const { code, stderr } = await bundle(first);
    expect(code).to.equal(1);
    expect(stderr).to.equal(`error: ${first} is there already; name another file with -o\n`);
  });

  it('of a cluster that does not answer is none', async () => {
    const file = join(dir, 'none.tar.gz');
    const { code, stderr } = await runCommand([
      'support-bundle',
      '--kubeconfig',
      '/no/such/file',
      '-o',
      file,
    ]);
    expect([code, existsSync(file)]).to.deep.equal([2, false]);
    expect(stderr).to.equal('error: the kubeconfig /no/such/file cannot be used: ENOENT\n');
  });
});
