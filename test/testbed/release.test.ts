// The application as a release: helm 3 installs the chart out of the packaged tarball into a whole control plane - every controller and
// the scheduler are the real ones - and stand-ins for the kubelets run its pods out of the packaged image. Installed, a host labelled
// later, changed, uninstalled with its hook; then nothing of it may be left anywhere.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { helmBinary, RELEASE, run, type Outcome } from '../support/helm.ts';
import { oneLife } from '../support/one-life.ts';
import { until } from '../support/until.ts';
import { FLOW_RATE, startFlow } from './lab/flow.ts';
import type { Happening } from './lab/kubelets.ts';
import { leftOnHosts } from './lab/leftovers.ts';
import { ECHO, startReleaseGround, type ReleaseGround } from './lab/release-ground.ts';
import { askEveryServer, clientOf } from './lab/seed-services.ts';
import { HOST_NAMES, type LabHost } from './lab/topology.ts';

const POLICY = 'release';
const CONTROLLERS = ['controller-0', 'controller-1'] as const;
const LATE: LabHost = 'worker-0';

describe('the application as a release', () => {
  oneLife();
  let ground: ReleaseGround;

  const helm = (...args: readonly string[]): Promise<Outcome> =>
    run(helmBinary(3), [
      ...['--kubeconfig', ground.lab.cluster.adminKubeconfig, '--namespace', RELEASE],
      ...args,
    ]);
  const helmMust = async (...args: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await helm(...args);
    expect(exitCode, stderr).to.equal(0);
  };

  before(async function () {
    this.timeout(400_000);
    ground = await startReleaseGround();
    await ground.makeNamespace();
  });

  after(() => ground.close());

  it('is installed: managers on both controllers, an agent on every labelled host', async () => {
    const { application, dir, untilReadyOn } = ground;
    // What the platform adds for two controllers.
    const systemOverrides = join(dir, 'system-overrides.yaml');
    writeFileSync(systemOverrides, JSON.stringify({ manager: { replicas: 2 } }));
    await helmMust(
      ...['install', RELEASE, application.chart, '--wait', '--timeout', '4m'],
      ...['--values', application.staticOverrides, '--values', systemOverrides],
    );
    await untilReadyOn('manager', CONTROLLERS);
    // helm takes a DaemonSet for ready while as many pods as may be replaced at once are not.
    await untilReadyOn('agent', CONTROLLERS);
  });

  it('puts a policy in force', async () => {
    await ground.applyPolicy(POLICY);
    await ground.untilInForceOn(POLICY, '2/2');
  });

  it('a host that is labelled later gets its agent and its part', async () => {
    const { lab, kube, untilReadyOn, untilInForceOn } = ground;
    await kube('label', 'node', LATE, 'ipsec-policy-agent-operator=enabled');
    await untilInForceOn(POLICY, '3/3');
    await untilReadyOn('agent', HOST_NAMES);
    const capture = await lab.capture();
    expect(await askEveryServer(lab)).to.equal(6);
    const { plaintext, esp } = await capture.stop();
    expect(plaintext).to.deep.equal([]);
    expect(esp.length).to.be.at.least(8);
  });

  it('its containers have the limits of memory that the chart says', async () => {
    const { lab } = ground;
    const agents = await lab.run('guest', ['pgrep', '-f', 'ipsec-policy-operator.mjs agent']);
    expect(agents.trim().split('\n')).to.have.length(3);
    for (const pid of agents.trim().split('\n')) {
      const group = (await lab.readFile('guest', `/proc/${pid}/cgroup`)).trim().replace('0::', '');
      const limit = await lab.readFile('guest', `/sys/fs/cgroup${group}/memory.max`);
      expect(Number(limit)).to.equal(512 * 1024 * 1024);
    }
  });

  it('an agent that dies is started again on its host', async () => {
    const { lab, kubelets, kube, untilInForceOn } = ground;
    const agents = await lab.run('guest', ['pgrep', '-f', 'ipsec-policy-operator.mjs agent']);
    const [pid = ''] = agents.split('\n');
    const since = kubelets.happenings.length;
    await lab.run('guest', ['kill', '-KILL', pid]);
    /** Of the pod that has ended, from then on. */
    const seen = (): readonly (string | number)[] => {
      const all = kubelets.happenings.slice(since);
      const died = all.find(({ what }) => what === 'ended');
      return all
        .slice(died === undefined ? all.length : all.indexOf(died))
        .filter(({ pod }) => pod === died?.pod)
        .map(({ what, exitCode }) => exitCode ?? what);
    };
    await until('it runs again and is ready', () => seen().includes('ready'), 60_000);
    expect(seen()).to.deep.equal([128 + 9, 'running', 'ready']);
    const restarts = '--output=jsonpath={.items[*].status.containerStatuses[0].restartCount}';
    const counts = await kube('get', 'pods', '--namespace', RELEASE, AGENTS, restarts);
    expect(counts.split(' ').sort()).to.deep.equal(['0', '0', '1']);
    await untilInForceOn(POLICY, '3/3');
  });

  it('is changed: agents are replaced one after the other, and a live flow does not notice', async () => {
    const { lab, application, kubelets, untilReadyOn, untilInForceOn } = ground;
    const capture = await lab.capture();
    const flow = await startFlow(lab, {
      ...{ from: `default/${clientOf(LATE)}`, source: '172.16.43.5', protocol: 'udp' },
      ...{ address: ECHO.address, port: ECHO.port, rate: Math.min(100, FLOW_RATE) },
    });
    // The first messages wait for the tunnel.
    flow.mark();
    await flow.untilSteady();
    flow.mark();
    const since = kubelets.happenings.length;
    await helmMust(
      ...['upgrade', RELEASE, application.chart, '--reuse-values', '--wait', '--timeout', '4m'],
      ...['--set', 'agent.settings.logLevel=debug', '--set', 'manager.settings.logLevel=debug'],
    );
    await untilReadyOn('agent', HOST_NAMES);
    const agents = kubelets.happenings.slice(since).filter(({ pod }) => pod.startsWith('ipsec-policy-agent'));
    const ended = agents.filter(({ what }) => what === 'ended');
    expect(ended.map(({ host, exitCode }) => ({ host, exitCode }))).to.have.deep.members(
      HOST_NAMES.map((host) => ({ host, exitCode: 0 })),
    );
    expect(mostAwayAtOnce(agents)).to.equal(1);
    await untilInForceOn(POLICY, '3/3');
    const { sent, lost, marks } = await flow.stop();
    const { plaintext, esp } = await capture.stop();
    expect(plaintext).to.deep.equal([]);
    expect(esp.length).to.be.at.least(sent);
    const changing = marks[1]?.number ?? 0;
    expect(lost.filter(({ last }) => last >= changing)).to.deep.equal([]);
  });

  it('a wrong value changes nothing', async () => {
    const revisions = async (): Promise<number> =>
      (await helm('history', RELEASE)).stdout.trim().split('\n').length;
    const before = await revisions();
    const { exitCode, stderr } = await helm(
      ...['upgrade', RELEASE, ground.application.chart, '--reuse-values'],
      ...['--set', 'manager.settings.guardMode=strict'],
    );
    expect(exitCode).not.to.equal(0);
    expect(stderr).to.include('guardMode');
    expect(await revisions()).to.equal(before);
  });

  it('is uninstalled: its hook withdraws, and nothing of it is left in the API, on the hosts, in charon', async () => {
    const { lab, kubelets, kube, newObjects } = ground;
    await helmMust('uninstall', RELEASE, '--timeout', '40s', '--wait');
    expect(kubelets.log('ipsec-policy-withdraw')).to.include('"msg":"withdrawn"');
    const hook = kubelets.happenings.filter(({ pod }) => pod.startsWith('ipsec-policy-withdraw'));
    expect(hook.map(({ what, exitCode }) => exitCode ?? what)).to.deep.equal(['running', 'ready', 0]);
    expect(await leftOnHosts(lab)).to.deep.equal([]);
    // What the plugin does when Flux has finished.
    await kube('delete', 'namespace', RELEASE, '--timeout=30s');
    expect(await newObjects()).to.deep.equal([]);
  });
});

const AGENTS = '--selector=app.kubernetes.io/component=agent';

/** The most hosts at any moment whose old agent had ended and whose new one was not ready yet. */
function mostAwayAtOnce(happenings: readonly Happening[]): number {
  const away = new Set<LabHost>();
  let most = 0;
  for (const { host, what } of happenings) {
    if (what === 'ended') away.add(host);
    if (what === 'ready') away.delete(host);
    most = Math.max(most, away.size);
  }
  return most;
}
