import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { LEASES, NODES, POLICIES, SHARDS } from '../../app/kubernetes/resources.ts';
import { connectCharon } from '../../app/vici/charon.ts';
import type { Child } from '../support/child.ts';
import { nodeStatus, policyObject } from '../support/kubernetes-objects.ts';
import { nativeCharonMissing, startNativeCharon, type NativeCharon } from '../support/native-charon.ts';
import { startManager, startQuickAgent, startWithdraw } from '../support/programs.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { createKubeDns, createSeedCluster, SEED_HOSTS } from '../support/three-hosts.ts';
import { until } from '../support/until.ts';

interface Status {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Three agents with real charons, a manager, and the command that the chart's pre-delete hook runs. */
describe('withdraw', () => {
  let dir: string;
  let cluster: TestCluster;
  const charons = new Map<string, NativeCharon>();
  const agents = new Map<string, Child>();
  const managers: Child[] = [];

  const confFile = (host: string): string => join(dir, host, 'k8s-nodes.conf');
  const startAgentOf = (name: string): void => {
    agents.set(
      name,
      startQuickAgent(name, { dir, charon: charons.get(name)!, kubeconfig: cluster.adminKubeconfig }),
    );
  };
  const startManagerNow = (): Child => {
    const manager = startManager({
      kubeconfig: cluster.adminKubeconfig,
      logFile: join(dir, 'manager.log'),
      env: { STAGE_WAIT_SECONDS: '1' },
    });
    managers.push(manager);
    return manager;
  };
  const protectKubeDns = async (): Promise<void> => {
    await cluster.admin.create(POLICIES, policyObject('sample'));
    await until('Programmed=True', async () => {
      const policy = (await cluster.admin.get(POLICIES, { name: 'sample' })) as Status;
      return (
        policy.status?.conditions?.some(({ type, status }) => type === 'Programmed' && status === 'True') ??
        false
      );
    });
  };
  const connectionsOf = async (host: string): Promise<readonly string[]> => {
    const charon = await connectCharon({ path: charons.get(host)!.path, timeoutMs: 30_000 });
    try {
      return await charon.connectionNames();
    } finally {
      charon.close();
    }
  };
  /** Runs it to its end; gives its log lines and how long it took. */
  const withdraw = async (
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ lines: readonly Record<string, unknown>[]; seconds: number; exitCode: number | null }> => {
    const logFile = join(dir, `withdraw-${performance.now()}.log`);
    const startedMs = performance.now();
    const child = startWithdraw({ kubeconfig: cluster.adminKubeconfig, logFile, env });
    await until('it has ended', () => child.exited());
    const lines = readFileSync(logFile, 'utf8').trim().split('\n');
    return {
      lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>),
      seconds: (performance.now() - startedMs) / 1000,
      exitCode: child.exitCode(),
    };
  };
  const holder = async (): Promise<string | undefined> => {
    const ref = { namespace: 'kube-system', name: 'ipsec-policy-manager' };
    return ((await cluster.admin.get(LEASES, ref)) as { spec: { holderIdentity?: string } }).spec
      .holderIdentity;
  };
  const isEmpty = async (resource: typeof POLICIES): Promise<boolean> =>
    (await cluster.admin.list(resource, {})).items.length === 0;

  before(async function () {
    if (nativeCharonMissing() !== undefined) this.skip();
    dir = mkdtempSync(join(tmpdir(), 'withdraw-'));
    cluster = await startTestCluster();
    await createSeedCluster(cluster.admin);
    await createKubeDns(cluster.admin);
    for (const { name } of SEED_HOSTS) {
      mkdirSync(join(dir, name));
      charons.set(name, await startNativeCharon());
      startAgentOf(name);
    }
  });

  after(async () => {
    await Promise.all([...managers, ...agents.values()].map((child) => child.kill()));
    await Promise.all([...charons.values()].map((charon) => charon.stop()));
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('takes everything away while the manager runs, and leaves no manager to bring it back', async () => {
    const manager = startManagerNow();
    await protectKubeDns();
    const { lines, exitCode } = await withdraw();
    expect(exitCode).to.equal(0);
    expect(lines.at(-1)).to.deep.include({ msg: 'withdrawn', hosts: 3, passedOver: [] });
    expect(await isEmpty(POLICIES)).to.equal(true);
    expect(await isEmpty(SHARDS)).to.equal(true);
    for (const { name } of SEED_HOSTS) {
      expect(await connectionsOf(name)).to.deep.equal([]);
      expect(existsSync(confFile(name))).to.equal(false);
    }
    await until('the manager has seen that it leads no more', () => manager.exited());
    expect(await holder()).to.equal('withdraw');
  });

  it('needs no manager, and passes over a host that is not Ready', async () => {
    // The Lease of the last removal is still held: a new installation begins when it has expired or is gone.
    await cluster.admin.delete(LEASES, { namespace: 'kube-system', name: 'ipsec-policy-manager' });
    const manager = startManagerNow();
    await protectKubeDns();
    await manager.kill();
    await agents.get('worker-0')!.kill();
    await cluster.admin.mergePatch(
      NODES,
      { name: 'worker-0', subresource: 'status' },
      nodeStatus(['192.168.206.66'], false),
    );
    const { lines, exitCode } = await withdraw();
    expect(exitCode).to.equal(0);
    expect(lines.at(-1)).to.deep.include({ msg: 'withdrawn', passedOver: ['worker-0'] });
    expect(lines.filter(({ host }) => host === 'worker-0')).to.have.length(1);
    expect(await connectionsOf('controller-0')).to.deep.equal([]);
    expect(await connectionsOf('worker-0')).to.have.length(2);
  });

  it('ends well although the API server cannot be reached, and says so', async () => {
    await cluster.stopApiServer();
    const { lines, seconds, exitCode } = await withdraw();
    expect(exitCode).to.equal(0);
    // 15 s of its own; what the process itself takes depends on the machine.
    expect(seconds).to.be.at.least(10);
    expect(lines.at(-1)).to.include({ level: 'error' });
  });

  it('ends well although its settings are wrong, and says so', async () => {
    const { lines, exitCode } = await withdraw({ GUARD_MODE: 'sometimes' });
    expect(exitCode).to.equal(0);
    expect(lines.at(-1)!['reason']).to.contain('GUARD_MODE');
  });
});
