import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { NO_GUARD } from '../../app/domain/facts.ts';
import { ApiError } from '../../app/kubernetes/api-error.ts';
import { Client } from '../../app/kubernetes/client.ts';
import {
  EVENTS,
  HOSTS,
  LEASES,
  NETWORKS,
  NODES,
  POLICIES,
  REPORTS,
  SERVICES,
  SHARDS,
  type Resource,
} from '../../app/kubernetes/resources.ts';
import type { Child } from '../support/child.ts';
import { RELEASE, renderedObjects, type Rendered } from '../support/helm.ts';
import { policyObject } from '../support/kubernetes-objects.ts';
import { nativeCharonMissing, startNativeCharon, type NativeCharon } from '../support/native-charon.ts';
import { startAgent, startManager, startWithdraw } from '../support/programs.ts';
import { runCommand } from '../support/run-command.ts';
import { kubectl, serviceAccountKubeconfig } from '../support/service-accounts.ts';
import { CRDS, startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { createKubeDns, createSeedCluster, SEED_HOSTS } from '../support/three-hosts.ts';
import { until } from '../support/until.ts';

const core = (kind: string, plural: string): Resource => ({
  group: '',
  version: 'v1',
  kind,
  plural,
  namespaced: true,
});
const SECRETS = core('Secret', 'secrets');
const PODS = core('Pod', 'pods');
const CONFIG_MAPS = core('ConfigMap', 'configmaps');

interface Conditions {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const OWN_REPORT = 'ipsec-policy-agent-own-report';

interface TypeChecked {
  readonly status?: { readonly typeChecking?: { readonly expressionWarnings?: readonly unknown[] } };
}

/** The chart's objects in a real API server, and the programs under the rights that it gives them. */
describe('chart in a cluster', () => {
  let dir: string;
  let cluster: TestCluster;
  let objects: readonly Rendered[];
  const clients = new Map<string, Client>();
  const kubeconfigs = new Map<string, string>();

  /** Makes the pod of a workload on a host, as its controller would, and speaks with that pod's token. */
  const actAs = async (name: string, kind: string, host?: string): Promise<void> => {
    const serviceAccount = `ipsec-policy-${name}`;
    const pod = host === undefined ? undefined : `${name}-${host}`;
    if (pod !== undefined) {
      const workload = objects.find((object) => object.kind === kind);
      const { metadata, spec } = (workload?.spec as { template: { metadata: object; spec: object } })
        .template;
      const object = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...metadata, name: pod, namespace: RELEASE },
        spec: { ...spec, nodeName: host },
      };
      await kubectl(cluster, ['create', '-f', '-'], object);
    }
    const key = `${name}${host === undefined ? '' : `@${host}`}`;
    const kubeconfig = await serviceAccountKubeconfig(cluster, {
      namespace: RELEASE,
      serviceAccount,
      ...(pod === undefined ? {} : { pod }),
    });
    kubeconfigs.set(key, kubeconfig);
    clients.set(key, new Client({ kubeconfig }));
  };

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'chart-'));
    cluster = await startTestCluster({
      controllerManager: true,
      controllers: ['validatingadmissionpolicy-status-controller'],
    });
    await createSeedCluster(cluster.admin);
    await kubectl(cluster, ['create', 'namespace', RELEASE]);
    objects = await renderedObjects();
    const installed = objects.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined);
    await kubectl(cluster, ['apply', '--server-side', '--force-conflicts', '-f', '-'], list(installed));
    for (const { name } of SEED_HOSTS) await actAs('agent', 'DaemonSet', name);
    await actAs('manager', 'Deployment', 'controller-0');
    await actAs('withdraw', 'Job', 'controller-0');
    await actAs('agent', 'DaemonSet');
  });

  after(async () => {
    await Promise.all([...clients.values()].map((client) => client.close()));
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('every object is accepted, the hook’s too', async () => {
    expect(objects.map(({ kind }) => kind)).to.include.members([
      'CustomResourceDefinition',
      'DaemonSet',
      'Deployment',
      'Job',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
    ]);
    const args = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-f', '-'];
    const said = await kubectl(cluster, args, list(objects));
    expect(said.trim().split('\n')).to.have.length(objects.length);
  });

  it('the admission policy is right for the kinds as they are', async () => {
    const read = async (): Promise<TypeChecked> =>
      JSON.parse(
        await kubectl(cluster, ['get', 'validatingadmissionpolicy', OWN_REPORT, '-o', 'json']),
      ) as TypeChecked;
    await until('it has been checked', async () => (await read()).status?.typeChecking !== undefined);
    expect((await read()).status?.typeChecking?.expressionWarnings ?? []).to.deep.equal([]);
  });

  describe('manager, agents and withdraw under their own rights', () => {
    const charons = new Map<string, NativeCharon>();
    const programs: Child[] = [];
    const logs: string[] = [];

    const started = (start: (logFile: string) => Child): Child => {
      const logFile = join(dir, `program-${logs.length}.log`);
      logs.push(logFile);
      const child = start(logFile);
      programs.push(child);
      return child;
    };

    before(async function () {
      if (nativeCharonMissing() !== undefined) this.skip();
      for (const { name } of SEED_HOSTS) {
        mkdirSync(join(dir, name));
        charons.set(name, await startNativeCharon());
        started((logFile) =>
          startAgent(
            {
              name,
              viciSocket: charons.get(name)!.path,
              confFile: join(dir, name, 'k8s-nodes.conf'),
            },
            { kubeconfig: kubeconfigs.get(`agent@${name}`)!, logFile, env: { VERIFY_SECONDS: '1' } },
          ),
        );
      }
      started((logFile) =>
        startManager({
          kubeconfig: kubeconfigs.get('manager@controller-0')!,
          logFile,
          env: { POD_NAMESPACE: RELEASE },
        }),
      );
    });

    after(async () => {
      await Promise.all(programs.map((child) => child.kill()));
      await Promise.all([...charons.values()].map((charon) => charon.stop()));
    });

    it('protect, report, say what is wrong, and withdraw', async () => {
      await cluster.admin.create(POLICIES, policyObject('sample'));
      await until('an event says that the service is missing', async () => {
        const { items } = await cluster.admin.list(EVENTS, {});
        return items.some((item) => (item as { note?: string }).note?.includes('kube-dns') ?? false);
      });
      await createKubeDns(cluster.admin);
      await until('Programmed=True', async () => {
        const { status } = (await cluster.admin.get(POLICIES, { name: 'sample' })) as Conditions;
        return (
          status?.conditions?.some((entry) => entry.type === 'Programmed' && entry.status === 'True') ?? false
        );
      });
      const status = await runCommand(['status'], { KUBECONFIG: kubeconfigs.get('manager@controller-0')! });
      expect([status.code, status.stderr], status.stdout).to.deep.equal([0, '']);
      expect(status.stdout).to.match(/^sample +in force .* 3\/3 /m);
      const withdraw = started((logFile) =>
        startWithdraw({
          kubeconfig: kubeconfigs.get('withdraw@controller-0')!,
          logFile,
          env: { POD_NAMESPACE: RELEASE },
        }),
      );
      await until('withdraw has ended', () => withdraw.exited());
      for (const resource of [POLICIES, SHARDS])
        expect((await cluster.admin.list(resource, {})).items).to.deep.equal([]);
      const said = logs.map((file) => readFileSync(file, 'utf8')).join('');
      expect(said).to.contain('"msg":"withdrawn"');
      expect(said.split('\n').filter((line) => /forbidden/i.test(line))).to.deep.equal([]);
    });
  });

  describe('is refused', () => {
    type Attempt = readonly [string, (client: Client) => Promise<unknown>];
    const spoiled = { status: { charonVersion: 'forged' } };
    const ownReport = { name: 'worker-0', subresource: 'status' } as const;
    const reading: readonly Attempt[] = [
      ['list Secrets', (client) => client.list(SECRETS, {})],
      [
        'read the pull secret',
        (client) => client.get(SECRETS, { namespace: RELEASE, name: 'default-registry-key' }),
      ],
      ['list Pods', (client) => client.list(PODS, {})],
      ['list ConfigMaps', (client) => client.list(CONFIG_MAPS, {})],
    ];
    const writing: readonly Attempt[] = [
      ['create a ConfigMap', (client) => client.create(CONFIG_MAPS, { metadata: { name: 'x' } }, RELEASE)],
      ['create a Pod', (client) => client.create(PODS, { metadata: { name: 'x' } }, RELEASE)],
      [
        'patch a Node',
        (client) => client.mergePatch(NODES, { name: 'worker-0' }, { metadata: { labels: { x: 'y' } } }),
      ],
      [
        'patch a Service',
        (client) =>
          client.mergePatch(
            SERVICES,
            { namespace: 'default', name: 'kubernetes' },
            { metadata: { labels: { x: 'y' } } },
          ),
      ],
      ['create a policy', (client) => client.create(POLICIES, policyObject('x'))],
      ['change a policy', (client) => client.mergePatch(POLICIES, { name: 'x' }, { spec: { policies: [] } })],
      ['delete a CRD', (client) => client.delete(CRDS, { name: 'ipsecpolicies.starlingx.io' })],
      [
        'create a Lease elsewhere',
        (client) => client.create(LEASES, { metadata: { name: 'x' } }, 'kube-system'),
      ],
      [
        'create an event elsewhere',
        (client) => client.create(EVENTS, { metadata: { name: 'x' } }, 'kube-system'),
      ],
    ];
    const facts: readonly Attempt[] = [
      ['delete a host', (client) => client.delete(HOSTS, { name: 'worker-0' })],
      ['change the network', (client) => client.mergePatch(NETWORKS, { name: 'cluster' }, {})],
      ['delete a shard', (client) => client.delete(SHARDS, { name: 'kube-system.kube-dns.0' })],
      ['create a report', (client) => client.create(REPORTS, { metadata: { name: 'worker-9' } })],
      ['delete a report', (client) => client.delete(REPORTS, { name: 'worker-0' })],
      ['list policies', (client) => client.list(POLICIES, {})],
      [
        'read the Lease',
        (client) => client.get(LEASES, { namespace: RELEASE, name: 'ipsec-policy-manager' }),
      ],
    ];
    const deletePolicy: Attempt = ['delete a policy', (client) => client.delete(POLICIES, { name: 'x' })];
    const writeReport: Attempt = [
      "write a host's report",
      (client) => client.mergePatch(REPORTS, ownReport, spoiled),
    ];
    const otherLease: Attempt = [
      'read another Lease',
      (client) => client.get(LEASES, { namespace: RELEASE, name: 'x' }),
    ];

    const cases: Readonly<Record<string, readonly Attempt[]>> = {
      'agent@worker-0': [...reading, ...writing, ...facts, deletePolicy],
      'manager@controller-0': [...reading, ...writing, deletePolicy, writeReport, otherLease],
      'withdraw@controller-0': [...reading, ...writing, writeReport, otherLease],
    };
    for (const [who, attempts] of Object.entries(cases))
      for (const [what, attempt] of attempts)
        it(`${who}: ${what}`, async () => {
          expect((await refusalOf(attempt(clients.get(who)!))).status).to.equal(403);
        });
  });

  describe('an agent’s report', () => {
    const report = { networkUid: '', loaded: [], problems: [], peersNotReached: [] };
    const counters = { connections: 0, flows: 0, flowsInForce: 0, childSas: 0 };
    const write = (who: string, host: string): Promise<unknown> =>
      clients
        .get(who)!
        .mergePatch(
          REPORTS,
          { name: host, subresource: 'status' },
          { status: { ...report, counters, guard: NO_GUARD, charonVersion: 'test' } },
        );

    before(async () => {
      for (const { name } of SEED_HOSTS)
        await cluster.admin.create(REPORTS, { metadata: { name } }).catch(() => undefined);
    });

    it('is written by the agent of that host', async () => {
      await write('agent@worker-0', 'worker-0');
    });

    it('is not written by the agent of another host', async () => {
      const refusal = await refusalOf(write('agent@worker-0', 'controller-0'));
      expect(refusal.status).to.equal(403);
      expect(refusal.message).to.contain(
        'writes the report of its own host (worker-0) and not that of controller-0',
      );
    });

    it('is not written with a token that is bound to no pod', async () => {
      expect((await refusalOf(write('agent', 'worker-0'))).status).to.equal(403);
    });
  });
});

function list(items: readonly object[]): object {
  return { apiVersion: 'v1', kind: 'List', items };
}

/** The API server's refusal; fails when it was allowed. */
async function refusalOf(attempt: Promise<unknown>): Promise<ApiError> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('it was allowed');
}
