import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import { EVENTS, LEASES, NETWORKS, POLICIES, REPORTS, SHARDS } from '../../app/kubernetes/resources.ts';
import { connectCharon } from '../../app/vici/charon.ts';
import type { Child } from '../support/child.ts';
import { policyObject } from '../support/kubernetes-objects.ts';
import { nativeCharonMissing, startNativeCharon, type NativeCharon } from '../support/native-charon.ts';
import { startAgent, startManager, startQuickAgent } from '../support/programs.ts';
import { kubectl } from '../support/service-accounts.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { createKubeDns, createSeedCluster, SEED_HOSTS } from '../support/three-hosts.ts';
import { until } from '../support/until.ts';

interface Said {
  readonly type: string;
  readonly reason: string;
  readonly regarding: { readonly kind: string; readonly name: string };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message: string;
}

const CHARON_VERSION = '5.9.8';

/** One manager, three agents, three real charons (without peers), a real API server. */
describe('manager and agents', () => {
  let dir: string;
  let cluster: TestCluster;
  let manager: Child;
  const charons = new Map<string, NativeCharon>();
  const agents = new Map<string, Child>();

  const confFile = (host: string): string => join(dir, host, 'k8s-nodes.conf');
  const agentOf = (name: string): Child =>
    startQuickAgent(name, { dir, charon: charons.get(name)!, kubeconfig: cluster.adminKubeconfig });
  const programmed = async (): Promise<Condition | undefined> => {
    const policy = (await cluster.admin.get(POLICIES, { name: 'sample' })) as {
      status?: { conditions?: Condition[] };
    };
    return policy.status?.conditions?.find(({ type }) => type === 'Programmed');
  };
  const childrenOf = async (host: string, connection: string): Promise<string[]> => {
    const charon = await connectCharon({ path: charons.get(host)!.path, timeoutMs: 30_000 });
    try {
      const trees = await charon.listPolicies({ trap: true });
      return trees
        .flatMap((tree) => Object.keys(tree))
        .filter((key) => key.startsWith(`${connection}/`))
        .sort();
    } finally {
      charon.close();
    }
  };

  before(async function () {
    if (nativeCharonMissing() !== undefined) this.skip();
    dir = mkdtempSync(join(tmpdir(), 'manager-and-agents-'));
    cluster = await startTestCluster();
    await createSeedCluster(cluster.admin);
    for (const { name } of SEED_HOSTS) {
      mkdirSync(join(dir, name));
      charons.set(name, await startNativeCharon());
    }
    manager = startManager({ kubeconfig: cluster.adminKubeconfig, logFile: join(dir, 'manager.log') });
    for (const { name } of SEED_HOSTS) agents.set(name, agentOf(name));
  });

  after(async () => {
    await Promise.all([manager, ...agents.values()].map((child) => child.kill()));
    await Promise.all([...charons.values()].map((charon) => charon.stop()));
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('takes a policy that comes before its service to traps on every host', async () => {
    await cluster.admin.create(
      POLICIES,
      policyObject('sample', [{ serviceports: 'udp/53,tcp/53,tcp/9153' }]),
    );
    await until('the policy says that its service is missing', async () =>
      ((await programmed())?.message ?? '').includes('kube-system/kube-dns'),
    );
    await createKubeDns(cluster.admin);
    await until('Programmed=True', async () => (await programmed())?.status === 'True');
    expect(await childrenOf('controller-0', 'k8s-node-controller-1')).to.deep.equal([
      'k8s-node-controller-1/tcp_kube-dns_egress',
      'k8s-node-controller-1/tcp_kube-dns_egress-2',
      'k8s-node-controller-1/tcp_kube-dns_ingress',
      'k8s-node-controller-1/tcp_kube-dns_ingress-2',
      'k8s-node-controller-1/udp_kube-dns_egress',
      'k8s-node-controller-1/udp_kube-dns_ingress',
    ]);
    expect(await childrenOf('worker-0', 'k8s-node-controller-0')).to.have.length(3);
    expect(readFileSync(confFile('worker-0'), 'utf8')).to.contain('remote_ts = 172.16.192.115/32[17/53]');
  });

  it('is shown by kubectl in columns that a person can read', async () => {
    const shown = async (kind: string): Promise<string[]> => {
      const text = await kubectl(cluster, ['get', kind]);
      expect(text, kind).not.to.match(/[[\]{}]|<none>|<unknown>/);
      return text
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/ {2,}/).slice(0, -1).join(' | '));
    };
    expect(await shown('ipsecpolicies')).to.deep.equal([
      'NAME | POLICIES | ENDPOINTS | HOSTS | PROGRAMMED',
      'sample | 1 | 2 | 3/3 | True',
    ]);
    expect(await shown('ipsechostreports')).to.deep.equal([
      'NAME | PEERS | FLOWS | IN FORCE | CHARON | GUARD',
      `controller-0 | 2 | 9 | 9 | ${CHARON_VERSION} | off`,
      `controller-1 | 2 | 9 | 9 | ${CHARON_VERSION} | off`,
      `worker-0 | 2 | 6 | 6 | ${CHARON_VERSION} | off`,
    ]);
    expect(await shown('ipsechosts')).to.include.members(['NAME | ADDRESS', 'worker-0 | 192.168.206.66']);
    expect(await shown('ipsecservices')).to.deep.equal([
      'NAME | NAMESPACE | SERVICE | STAGE',
      'kube-system.kube-dns.0 | kube-system | kube-dns | enforce',
    ]);
    expect(await shown('ipsecnetworks')).to.deep.equal([
      'NAME | GUARD | IKE | ESP',
      'cluster | off | aes128-sha256-prfaesxcbc-modp3072 | aes128gcm16',
    ]);
  });

  it('writes nothing while nothing changes', async () => {
    const versions = async (): Promise<unknown> =>
      Promise.all(
        [NETWORKS, SHARDS, REPORTS, POLICIES].map(async (resource) =>
          (await cluster.admin.list(resource, {})).items.map(
            (item) => (item as { metadata: { resourceVersion: string } }).metadata.resourceVersion,
          ),
        ),
      );
    const idle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    // What the agents had still to report of their last step has come.
    let before = await versions();
    await until('the last reports have come', async () => {
      await idle(2000);
      const now = await versions();
      const isStill = isDeepStrictEqual(now, before);
      before = now;
      return isStill;
    });
    await idle(5000);
    expect(await versions()).to.deep.equal(before);
  });

  it('says as events what is wrong on a host, what that means for the policy, and that it is over', async () => {
    const said = async (): Promise<string[]> => {
      const { items } = await cluster.admin.list(EVENTS, {});
      return (items as Said[])
        .filter(({ regarding: { kind } }) => kind === 'IPsecPolicy' || kind === 'IPsecHostReport')
        .map(({ type, reason, regarding: { kind, name } }) => `${type} ${reason} ${kind}/${name}`);
    };
    expect(await said()).to.include.members([
      'Warning ServiceNotFound IPsecPolicy/sample',
      'Normal Recovered IPsecPolicy/sample',
      'Normal Programmed IPsecPolicy/sample',
    ]);
    const lost = 'CharonUnreachable IPsecHostReport/worker-0';
    await charons.get('worker-0')!.stop();
    await until('it is said that charon is away', async () => (await said()).includes(`Warning ${lost}`));
    charons.set('worker-0', await startNativeCharon());
    await agents.get('worker-0')!.kill();
    agents.set('worker-0', agentOf('worker-0'));
    await until('it is said that charon is back', async () =>
      (await said()).includes('Normal Recovered IPsecHostReport/worker-0'),
    );
    await until('Programmed=True', async () => (await programmed())?.status === 'True');
  });

  it('an agent of a wrong name is not ready, and changes nothing', async () => {
    const file = confFile('worker-0');
    const before = readFileSync(file, 'utf8');
    const port = 20_000 + (process.pid % 10_000);
    const stranger = startAgent(
      { name: 'wroker-0', viciSocket: charons.get('worker-0')!.path, confFile: join(dir, 'stranger.conf') },
      {
        kubeconfig: cluster.adminKubeconfig,
        logFile: join(dir, 'stranger.log'),
        env: { HEALTH_PORT: String(port) },
      },
    );
    const readiness = async (): Promise<string> =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        async (answer) => answer.text(),
        () => '',
      );
    await until('it says why', async () => (await readiness()).includes('no IPsecHost is called wroker-0'));
    const lines = readFileSync(join(dir, 'stranger.log'), 'utf8');
    expect(lines).to.contain('connected to charon').and.not.to.contain('applied');
    await stranger.kill();
    expect(readFileSync(file, 'utf8')).to.equal(before);
    expect(existsSync(join(dir, 'stranger.conf'))).to.equal(false);
  });

  it('puts back what somebody unloaded', async () => {
    const charon = await connectCharon({ path: charons.get('worker-0')!.path, timeoutMs: 30_000 });
    await charon.unloadConnection('k8s-node-controller-0');
    charon.close();
    await until(
      'it is loaded again',
      async () => (await childrenOf('worker-0', 'k8s-node-controller-0')).length === 3,
    );
  });

  it('a restarted agent changes nothing that was right', async () => {
    const before = readFileSync(confFile('controller-0'), 'utf8');
    await agents.get('controller-0')!.kill();
    agents.set('controller-0', agentOf('controller-0'));
    await until('it has reported', async () => (await programmed())?.status === 'True');
    expect(readFileSync(confFile('controller-0'), 'utf8')).to.equal(before);
  });

  it('removes what a deleted policy asked for, from charon, the file and the API', async () => {
    await cluster.admin.delete(POLICIES, { name: 'sample' });
    await until('no shard is left', async () => (await cluster.admin.list(SHARDS, {})).items.length === 0);
    for (const { name } of SEED_HOSTS) {
      const charon = await connectCharon({ path: charons.get(name)!.path, timeoutMs: 30_000 });
      expect(await charon.connectionNames()).to.deep.equal([]);
      charon.close();
      expect(() => readFileSync(confFile(name))).to.throw('ENOENT');
    }
  });

  it('gives the Lease back when it stops', async () => {
    manager.signal('SIGTERM');
    await until('the manager has ended', () => manager.exited());
    const lease = (await cluster.admin.get(LEASES, {
      namespace: 'kube-system',
      name: 'ipsec-policy-manager',
    })) as { spec: { holderIdentity?: string } };
    expect(lease.spec.holderIdentity ?? '').to.equal('');
  });
});
