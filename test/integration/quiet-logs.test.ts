// The logs of a manager and three agents that have nothing to do: not one line. IDLE_SECONDS=600 for the ten minutes that the docs
// speak of; by default long enough for every timer but the end of a watch (75 s) to come several times.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { POLICIES } from '../../app/kubernetes/resources.ts';
import type { Child } from '../support/child.ts';
import { policyObject } from '../support/kubernetes-objects.ts';
import { nativeCharonMissing, startNativeCharon, type NativeCharon } from '../support/native-charon.ts';
import { startAgent, startManager } from '../support/programs.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { createKubeDns, createSeedCluster, SEED_HOSTS } from '../support/three-hosts.ts';
import { until } from '../support/until.ts';

const IDLE_MS = Number(process.env['IDLE_SECONDS'] ?? '12') * 1000;

interface PolicyObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

describe('logs', () => {
  let dir: string;
  let cluster: TestCluster;
  const charons: NativeCharon[] = [];
  const programs: Child[] = [];
  const names = ['manager', ...SEED_HOSTS.map(({ name }) => name)];
  const lines = (): string[] =>
    names.flatMap((name) =>
      readFileSync(join(dir, `${name}.log`), 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    );

  before(async function () {
    if (nativeCharonMissing() !== undefined) this.skip();
    dir = mkdtempSync(join(tmpdir(), 'quiet-logs-'));
    cluster = await startTestCluster();
    await createSeedCluster(cluster.admin);
    await createKubeDns(cluster.admin);
    const options = (name: string): Parameters<typeof startManager>[0] => ({
      kubeconfig: cluster.adminKubeconfig,
      logFile: join(dir, `${name}.log`),
      env: { VERIFY_SECONDS: '1', LEASE_SECONDS: '6' },
    });
    programs.push(startManager(options('manager')));
    for (const { name } of SEED_HOSTS) {
      mkdirSync(join(dir, name));
      const charon = await startNativeCharon();
      charons.push(charon);
      const host = { name, viciSocket: charon.path, confFile: join(dir, name, 'k8s-nodes.conf') };
      programs.push(startAgent(host, options(name)));
    }
    await cluster.admin.create(POLICIES, policyObject('sample'));
    await until('Programmed=True', async () => {
      const policy = (await cluster.admin.get(POLICIES, { name: 'sample' })) as PolicyObject;
      return (
        policy.status?.conditions?.some(({ type, status }) => type === 'Programmed' && status === 'True') ===
        true
      );
    });
  });

  after(async () => {
    await Promise.all(programs.map((program) => program.kill()));
    await Promise.all(charons.map((charon) => charon.stop()));
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('are one JSON object a line, with time, level and a fixed phrase', () => {
    const parsed = lines().map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(parsed).to.have.length.above(8);
    for (const line of parsed) {
      expect(line['time']).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      expect(line['level']).to.be.oneOf(['info', 'warn']);
      expect(line['msg']).to.be.a('string').and.not.equal('');
    }
  });

  it('stay silent while nothing changes', async function () {
    this.timeout(IDLE_MS + 60_000);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const before = lines();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    expect(lines().slice(before.length)).to.deep.equal([]);
    expect(lines()).to.have.length(before.length);
  });
});
