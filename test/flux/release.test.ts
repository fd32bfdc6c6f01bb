// The manifests of the tarball in the hands of a real Flux helm-controller: `kubectl apply -k` and `kubectl delete -k` as the platform
// calls them, with what it writes into them. Nothing may be left; and what a Namespace among them would leave, which is why there is
// none. Not part of ordinary test runs: the controller takes minutes to build.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { helmBinary, RELEASE, run, type Outcome } from '../support/helm.ts';
import { oneLife } from '../support/one-life.ts';
import { until } from '../support/until.ts';
import { leftOnHosts } from '../testbed/lab/leftovers.ts';
import { startReleaseGround, type ReleaseGround } from '../testbed/lab/release-ground.ts';
import { askEveryServer } from '../testbed/lab/seed-services.ts';
import { HOST_NAMES } from '../testbed/lab/topology.ts';
import { writeAsFramework } from './framework-writes.ts';
import { startFlux, type Flux } from './helm-controller.ts';

const POLICY = 'flux';
const REGISTRY = 'registry.local:9001/';
/** What the platform's own tests allow for a removal, and for an apply. */
const REMOVE_SECONDS = 60;
const APPLY_SECONDS = 300;

describe('the manifests with a real Flux helm-controller', () => {
  oneLife();
  let ground: ReleaseGround;
  let flux: Flux;
  let manifests: string;
  let fluxObjects: ReadonlySet<string>;

  const kubectl = (...args: readonly string[]): Promise<Outcome> =>
    run(helmBinary(3, 'kubectl'), ['--kubeconfig', ground.lab.cluster.adminKubeconfig, ...args]);
  const written = (name: string): string => {
    const folder = join(ground.dir, name);
    writeAsFramework(ground.application.manifests, folder, {
      chartHost: flux.chartHost,
      registry: REGISTRY,
      systemOverrides: {
        imagePullSecrets: [{ name: 'default-registry-key' }],
        manager: { replicas: 2 },
      },
    });
    return folder;
  };
  const apply = async (folder: string): Promise<number> => {
    const started = performance.now();
    const { exitCode, stderr } = await kubectl('apply', '--kustomize', folder);
    expect(exitCode, stderr).to.equal(0);
    await until('Flux says that the release is ready', isReady, APPLY_SECONDS * 1000);
    return (performance.now() - started) / 1000;
  };
  /** The platform looks at the first condition alone. */
  const isReady = async (): Promise<boolean> => {
    const path = '--output=jsonpath={.status.conditions[0].type}/{.status.conditions[0].status}';
    const { stdout } = await kubectl('get', 'helmrelease', RELEASE, '--namespace', RELEASE, path);
    return stdout === 'Ready/True';
  };
  const remove = async (folder: string, timeout: string): Promise<Outcome & { seconds: number }> => {
    const started = performance.now();
    const outcome = await kubectl(
      'delete',
      '--kustomize',
      folder,
      '--ignore-not-found',
      `--timeout=${timeout}`,
    );
    return { ...outcome, seconds: (performance.now() - started) / 1000 };
  };
  /** Of the application: neither of the suite nor of Flux. */
  const left = async (): Promise<string[]> =>
    (await ground.newObjects()).filter((object) => !fluxObjects.has(object));

  before(async function () {
    this.timeout(400_000);
    ground = await startReleaseGround(REGISTRY);
    flux = await startFlux(ground.lab, ground.application.chart);
    fluxObjects = new Set(await ground.newObjects());
    for (const host of HOST_NAMES)
      await ground.kube('label', 'node', host, '--overwrite', 'ipsec-policy-agent-operator=enabled');
    manifests = written('as-shipped');
  });

  after(async () => {
    await flux.stop();
    await ground.close();
  });

  it('are applied: Flux installs the chart and waits until managers and agents are ready', async () => {
    await ground.makeNamespace();
    console.log(`      apply -k until Ready: ${(await apply(manifests)).toFixed(1)} s`);
    await ground.untilReadyOn('manager', ['controller-0', 'controller-1']);
    await ground.untilReadyOn('agent', HOST_NAMES);
    await ground.applyPolicy(POLICY);
    await ground.untilInForceOn(POLICY, '3/3');
    expect(await askEveryServer(ground.lab)).to.equal(6);
  });

  it('are deleted: the hook withdraws, and nothing is left in the API, on the hosts, in charon', async () => {
    const { exitCode, stderr, seconds } = await remove(manifests, '180s');
    console.log(`      delete -k: ${seconds.toFixed(1)} s`);
    expect(exitCode, stderr).to.equal(0);
    expect(seconds).to.be.below(REMOVE_SECONDS);
    expect(ground.kubelets.log('ipsec-policy-withdraw')).to.include('"msg":"withdrawn"');
    expect(await leftOnHosts(ground.lab)).to.deep.equal([]);
    // The plugin's last step.
    await ground.kube('delete', 'namespace', RELEASE, '--timeout=30s');
    expect(await left()).to.deep.equal([]);
  });

  it('a Namespace among them would strand definitions, rights, policies and what is on the hosts', async () => {
    const folder = written('with-a-namespace');
    addNamespace(folder);
    await ground.makeNamespace();
    await apply(folder);
    await ground.applyPolicy(POLICY);
    await ground.untilInForceOn(POLICY, '3/3');
    await remove(folder, '180s');
    await until(
      'the namespace is gone',
      async () => !(await left()).includes(`Namespace <no value>/${RELEASE}`),
      120_000,
    );
    const stranded = await left();
    console.log(`      left in the API: ${stranded.length} objects`);
    expect(stranded).to.include.members([
      'CustomResourceDefinition <no value>/ipsecpolicies.starlingx.io',
      'ClusterRole <no value>/ipsec-policy-agent',
      `IPsecPolicy <no value>/${POLICY}`,
    ]);
    const onHosts = await leftOnHosts(ground.lab);
    for (const host of HOST_NAMES) {
      expect(onHosts).to.include(`${host}: k8s-nodes.conf`);
      expect(onHosts.some((line) => line.startsWith(`${host}: table inet ipsec_policy_guard_`))).to.equal(
        true,
      );
    }
  });

  it('what is left on a host goes by hand, as the removal by force says', async () => {
    const { lab } = ground;
    for (const host of HOST_NAMES) {
      await lab.run(host, ['rm', '/etc/swanctl/conf.d/k8s-nodes.conf']);
      await lab.swanctl(host, '--load-conns');
      for (const line of (await lab.run(host, ['nft', 'list', 'tables'])).split('\n')) {
        const [, family, table = ''] = line.split(' ');
        if (table.startsWith('ipsec_policy_guard_'))
          await lab.run(host, ['nft', 'delete', 'table', family ?? '', table]);
      }
      // In place of the host's restart.
      await lab.restartCharon(host, 'SIGTERM');
    }
    expect(await leftOnHosts(lab)).to.deep.equal([]);
  });
});

function addNamespace(folder: string): void {
  const kustomization = join(folder, 'base/kustomization.yaml');
  writeFileSync(kustomization, `${readFileSync(kustomization, 'utf8')}  - namespace.yaml\n`);
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: RELEASE } };
  writeFileSync(join(folder, 'base/namespace.yaml'), JSON.stringify(object));
}
