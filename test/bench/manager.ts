// What the manager costs: time and requests from a policy to the last fact written, for one moved endpoint and at rest, against a
// real API server. Prints JSON lines. `node test/bench/manager.ts [--full]`; hosts are stand-ins (stand-in-agents.ts).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPORTS, SHARDS } from '../../app/kubernetes/resources.ts';
import type { Client } from '../../app/kubernetes/client.ts';
import { startTestCluster } from '../support/test-cluster.ts';
import { until } from '../support/until.ts';
import { createCluster, createPolicy, moveEndpoint, type ClusterSize } from './bench-cluster.ts';
import { startBundle, type BundleProcess } from './bundle-process.ts';
import { observeFacts, type FactObserver, type FactWrite } from './fact-observer.ts';
import { printFigures, rounded } from './figures.ts';
import { startStandIns } from './stand-in-agents.ts';

/** `none`: no host says anything. `at-once`: as soon as facts change. `paced`: as agents share 50 writes a second. */
type Answers = 'none' | 'at-once' | 'paced';

interface Situation extends ClusterSize {
  readonly answers: Answers;
  readonly idleSeconds: number;
}

interface Bench {
  readonly admin: Client;
  readonly observer: FactObserver;
  readonly manager: BundleProcess;
  readonly situation: Situation;
}

/** No fact for so long: the manager has done what it can for now. */
const QUIET_MS = 1500;

async function measure(situation: Situation): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-manager-'));
  const cluster = await startTestCluster();
  const { admin } = cluster;
  try {
    await createCluster(admin, situation);
    const observer = await observeFacts(admin);
    const manager = await startBundle('manager', join(dir, 'manager.log'), {
      KUBECONFIG: cluster.adminKubeconfig,
      POD_NAMESPACE: 'kube-system',
      POD_NAME: 'bench',
      // A host that has not answered yet is waited for: it is the first round that is measured.
      STAGE_WAIT_SECONDS: '600',
    });
    const bench = { admin, observer, manager, situation };
    await untilReports(bench);
    await observer.untilQuiet(QUIET_MS);
    const start = startFigures(bench);
    const pauseMs = situation.answers === 'paced' ? situation.hosts * 20 : 0;
    const standIns =
      situation.answers === 'none'
        ? undefined
        : startStandIns({ client: admin, hosts: situation.hosts, pauseMs });
    await observer.untilQuiet(QUIET_MS);
    const policy = await figuresOf(bench, () => createPolicy(admin, situation));
    const reports = standIns?.written();
    const moved = await figuresOf(bench, () => moveEndpoint(admin, situation));
    // The last host has answered the last change, which it may only after its pause.
    await observer.untilQuiet(QUIET_MS + 2 * pauseMs);
    const idle = await idleFigures(bench);
    printFigures('manager', {
      hosts: situation.hosts,
      services: situation.services,
      answers: situation.answers,
      start,
      policy: { ...policy, ...(reports === undefined ? {} : { reportsOfStandIns: reports }) },
      oneEndpointMoved: moved,
      idle,
      memory: manager.memory(),
    });
    await manager.child.kill();
    await standIns?.stop();
    await observer.stop();
  } finally {
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function untilReports({ admin, situation }: Bench): Promise<void> {
  await until(
    'every host has its report',
    async () => (await admin.list(REPORTS, {})).items.length === situation.hosts,
    60_000,
  );
}

/** From the start of the process; the facts of the hosts are its first plan. */
function startFigures({ observer, manager }: Bench): object {
  const facts = observer.facts();
  return {
    secondsToFirstFact: since(manager.startedAt, facts[0]),
    secondsToLastFact: since(manager.startedAt, facts.at(-1)),
    factsWritten: facts.length,
  };
}

async function figuresOf(bench: Bench, change: () => Promise<void>): Promise<object> {
  const { observer, manager, situation } = bench;
  const before = await requestsOf(manager);
  const cpuBefore = manager.cpuSeconds();
  observer.forget();
  const startedAt = performance.now();
  await change();
  if (situation.answers !== 'none') await untilInForce(bench);
  await observer.untilQuiet(QUIET_MS);
  const facts = observer.facts();
  const after = await requestsOf(manager);
  return {
    secondsToFirstFact: since(startedAt, facts[0]),
    secondsToLastFact: since(startedAt, facts.at(-1)),
    factsWritten: facts.length,
    statusesWritten: observer.statuses().length,
    requests: total(after) - total(before),
    requestsByKind: difference(after, before),
    managerCpuSeconds: rounded(manager.cpuSeconds() - cpuBefore),
  };
}

interface Shard {
  readonly spec: {
    readonly stages: readonly { readonly stage: string }[];
    readonly endpoints: readonly { readonly state: string }[];
  };
}

/** Each service is at enforce and each endpoint active: nothing is left to answer. */
async function untilInForce({ admin, situation }: Bench): Promise<void> {
  const isInForce = async (): Promise<boolean> => {
    const shards = (await admin.list(SHARDS, {})).items as readonly Shard[];
    return (
      shards.length === situation.services &&
      shards.every(
        ({ spec }) =>
          spec.stages.every(({ stage }) => stage === 'enforce') &&
          spec.endpoints.length === 2 &&
          spec.endpoints.every(({ state }) => state === 'active'),
      )
    );
  };
  const startedAt = performance.now();
  while (!(await isInForce())) {
    if (performance.now() - startedAt > 120_000) throw new Error('not in force after 120 s');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function idleFigures({ observer, manager, situation: { idleSeconds } }: Bench): Promise<object> {
  const before = await requestsOf(manager);
  const cpuBefore = manager.cpuSeconds();
  observer.forget();
  await new Promise((resolve) => setTimeout(resolve, 1000 * idleSeconds));
  return {
    seconds: idleSeconds,
    factsWritten: observer.facts().length,
    statusesWritten: observer.statuses().length,
    requests: total(await requestsOf(manager)) - total(before),
    managerCpuSeconds: rounded(manager.cpuSeconds() - cpuBefore),
  };
}

type Requests = ReadonlyMap<string, number>;

/** Without watches, which last, and the Lease, which is renewed whatever happens. */
async function requestsOf(manager: BundleProcess): Promise<Requests> {
  const all = await manager.requests();
  return new Map([...all].filter(([key]) => !key.startsWith('watch ') && !key.endsWith(' leases')));
}

function total(requests: Requests): number {
  return [...requests.values()].reduce((sum, count) => sum + count, 0);
}

function difference(after: Requests, before: Requests): object {
  const changes = [...after].map(([key, count]) => [key, count - (before.get(key) ?? 0)] as const);
  return Object.fromEntries(changes.filter(([, count]) => count > 0));
}

function since(startedAt: number, write: FactWrite | undefined): number | undefined {
  return write === undefined ? undefined : rounded((write.at - startedAt) / 1000);
}

const SMALL = { hosts: 30, services: 10 };
const LARGE = { hosts: 200, services: 50 };

async function main(full: boolean): Promise<void> {
  if (!full) return measure({ ...SMALL, answers: 'at-once', idleSeconds: 3 });
  for (const size of [SMALL, LARGE])
    for (const answers of ['at-once', 'paced', 'none'] as const)
      await measure({ ...size, answers, idleSeconds: 10 });
}

if (import.meta.main) await main(process.argv.includes('--full'));
