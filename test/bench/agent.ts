// What the agent costs, with a real charon and a real API server: many connections loaded, compared with the bare loader of the same
// run; one changed endpoint; passes without a change; memory. Prints JSON lines. `node test/bench/agent.ts [--full]`
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuardMode, ShardSpec } from '../../app/domain/facts.ts';
import { assignNames } from '../../app/domain/names.ts';
import { planHost } from '../../app/domain/plan-host.ts';
import type { Client } from '../../app/kubernetes/client.ts';
import { SHARD_FACTS } from '../../app/kubernetes/fact-objects.ts';
import { NETWORKS, REPORTS, SHARDS } from '../../app/kubernetes/resources.ts';
import { connectionTree } from '../../app/swanctl/host-config-tree.ts';
import { connectCharon } from '../../app/vici/charon.ts';
import { nativeCharonMissing, startNativeCharon, type NativeCharon } from '../support/native-charon.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { until } from '../support/until.ts';
import {
  asFacts,
  endpointOn,
  everywhereFacts,
  ordinaryFacts,
  SELF,
  writeFacts,
  writeNetwork,
  type BenchFacts,
} from './agent-facts.ts';
import { startBundle, type BundleProcess } from './bundle-process.ts';
import { median, printFigures, rounded } from './figures.ts';
import { loadPipelined, seconds, type BenchConnection } from './vici-load.ts';
import { startViciProxy, type ViciCommand, type ViciProxy } from './vici-proxy.ts';

interface Bench {
  readonly dir: string;
  readonly cluster: TestCluster;
  readonly facts: BenchFacts;
}

interface Host {
  readonly charon: NativeCharon;
  readonly proxy: ViciProxy;
  readonly agent: BundleProcess;
}

async function withCluster(facts: BenchFacts, measure: (bench: Bench) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-agent-'));
  const cluster = await startTestCluster();
  try {
    await writeFacts(cluster.admin, facts);
    await measure({ dir, cluster, facts });
  } finally {
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function withHost<T>({ dir, cluster }: Bench, measure: (host: Host) => Promise<T>): Promise<T> {
  const charon = await startNativeCharon();
  const proxy = await startViciProxy(charon.path);
  const confFile = join(dir, 'k8s-nodes.conf');
  const logFile = join(dir, 'agent.log');
  rmSync(confFile, { force: true });
  rmSync(logFile, { force: true });
  const agent = await startBundle('agent', logFile, {
    PATH: `${nftOf(charon, dir)}:${process.env['PATH'] ?? ''}`,
    KUBECONFIG: cluster.adminKubeconfig,
    NODE_NAME: SELF,
    VICI_SOCKET: proxy.path,
    CONF_FILE: confFile,
    VERIFY_SECONDS: '5',
  });
  try {
    return await measure({ charon, proxy, agent });
  } finally {
    await agent.child.kill();
    await proxy.stop();
    await charon.stop();
  }
}

/** A folder with an `nft` that works in charon's network namespace: the guard costs what it costs and touches nothing here. */
function nftOf(charon: NativeCharon, dir: string): string {
  const folder = join(dir, 'bin');
  mkdirSync(folder, { recursive: true });
  const script = `#!/bin/sh\nexec nsenter --net=/proc/${charon.process.pid}/ns/net /usr/sbin/nft "$@"\n`;
  writeFileSync(join(folder, 'nft'), script, { mode: 0o755 });
  return folder;
}

interface Load {
  readonly peers: number;
  readonly runs: number;
  readonly guardMode: GuardMode;
}

/** Many connections: the agent and the bare loader in turns, each with a charon of its own. */
async function measureLoad({ peers, runs, guardMode }: Load): Promise<void> {
  await withCluster(everywhereFacts(peers), async (bench) => {
    const connections = connectionsOf(bench.facts);
    const bare: number[] = [];
    const agent: LoadFigures[] = [];
    for (let run = 0; run < runs; run += 1) {
      bare.push(await loadBare(connections));
      agent.push(await loadByAgent(bench, { connections: connections.length, guardMode }));
    }
    const floor = median(bare);
    const of = (key: keyof LoadFigures): number => median(agent.map((figures) => figures[key]));
    printFigures('agent-load', {
      connections: connections.length,
      childrenEach: Object.keys(connections[0]?.config['children'] ?? {}).length,
      runs,
      guardMode,
      bareSeconds: bare,
      agentSeconds: agent,
      ratioLoaded: rounded(of('loaded') / floor),
      ratioReadBack: rounded(of('readBack') / floor),
    });
  });
}

/** Exactly what the agent loads. */
function connectionsOf(facts: BenchFacts): BenchConnection[] {
  const config = assignNames(planHost(asFacts(facts), SELF), undefined, new Map());
  return config.connections.map((connection) => ({
    name: connection.name,
    config: connectionTree(connection),
  }));
}

/** Through a proxy as the agent's commands go, so that both have the same way. */
async function loadBare(connections: readonly BenchConnection[]): Promise<number> {
  const native = await startNativeCharon();
  const proxy = await startViciProxy(native.path);
  try {
    const charon = await connectCharon({ path: proxy.path, timeoutMs: 60_000 });
    const time = await seconds(() => loadPipelined(charon, connections));
    charon.close();
    return time;
  } finally {
    await proxy.stop();
    await native.stop();
  }
}

/** Seconds since the network was written, with all other facts known to the agent before. */
interface LoadFigures {
  readonly firstLoadSent: number;
  readonly loaded: number;
  readonly readBack: number;
  readonly reported: number;
  readonly cpu: number;
  readonly peakRssMB: number;
}

async function loadByAgent(
  bench: Bench,
  { connections, guardMode }: { readonly connections: number; readonly guardMode: GuardMode },
): Promise<LoadFigures> {
  const { admin } = bench.cluster;
  return withHost(bench, async ({ proxy, agent }) => {
    await untilIdle(agent, proxy);
    const cpuBefore = agent.cpuSeconds();
    const startedAt = performance.now();
    await writeNetwork(admin, guardMode);
    await until('all is loaded', () => answered(proxy, 'load-conn').length >= connections, 60_000);
    const loads = answered(proxy, 'load-conn');
    if (loads.length !== connections) throw new Error(`${loads.length} loads of ${connections} connections`);
    const loadedAt = Math.max(...loads.map(({ answeredAt = 0 }) => answeredAt));
    await until('it is reported', () => hasReported(bench, 'loaded'), 60_000);
    const reportedAt = performance.now();
    const readBacks = answered(proxy, 'list-policies').filter(({ sentAt }) => sentAt > loadedAt);
    const figures = {
      firstLoadSent: secondsBetween(startedAt, Math.min(...loads.map(({ sentAt }) => sentAt))),
      loaded: secondsBetween(startedAt, loadedAt),
      readBack: secondsBetween(startedAt, readBacks[0]?.answeredAt ?? reportedAt),
      reported: secondsBetween(startedAt, reportedAt),
      cpu: rounded(agent.cpuSeconds() - cpuBefore),
      peakRssMB: agent.memory().peakRssMB,
    };
    await admin.delete(NETWORKS, { name: 'cluster' });
    await admin.mergePatch(REPORTS, { name: SELF, subresource: 'status' }, { status: { loaded: [] } });
    return figures;
  });
}

/** All facts but the network are read: the process has nothing to do. */
async function untilIdle(agent: BundleProcess, proxy: ViciProxy): Promise<void> {
  await until('the agent has found charon', () => answered(proxy, 'version').length > 0);
  let before = -1;
  await until(
    'it has nothing to do',
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const now = agent.cpuSeconds();
      const isIdle = now - before < 0.02;
      before = now;
      return isIdle;
    },
    60_000,
  );
}

/** A cluster of ordinary size: from the start to the first plan, one changed endpoint, passes without a change. */
async function measureOrdinary(hosts: number, services: number, idleSeconds: number): Promise<void> {
  await withCluster(ordinaryFacts(hosts, services), async (bench) => {
    const { admin } = bench.cluster;
    await writeNetwork(admin, 'enforce');
    await withHost(bench, async ({ proxy, agent }) => {
      await until('it is reported', () => hasReported(bench, 'loaded'));
      const loads = answered(proxy, 'load-conn');
      const start = {
        secondsToFirstLoad: secondsBetween(agent.startedAt, loads[0]?.sentAt ?? NaN),
        connectionsLoaded: loads.length,
      };
      const [, moved, target] = [0, Math.floor(services / 2), hosts - 2];
      const leaving = await changeShard(bench, proxy, { service: moved, target, state: 'pending' });
      const arrived = await changeShard(bench, proxy, { service: moved, target, state: 'active' });
      const idle = await idleFigures({ proxy, agent }, idleSeconds);
      printFigures('agent', {
        hosts,
        services,
        start,
        endpointLeaves: leaving,
        endpointIsThere: arrived,
        idle,
        memory: agent.memory(),
      });
    });
  });
}

interface Move {
  readonly service: number;
  readonly target: number;
  readonly state: 'pending' | 'active';
}

/** One write of the manager as it moves the first endpoint of a service: the old one leaves while the new one is pending. */
async function changeShard(bench: Bench, proxy: ViciProxy, move: Move): Promise<object> {
  const { admin } = bench.cluster;
  const before = bench.facts.shards[move.service];
  if (before === undefined) throw new Error('no such service');
  const [first, second] = before.endpoints;
  if (first === undefined || second === undefined) throw new Error('no two endpoints');
  const arriving = { ...endpointOn(move.target, 40, first.ports), state: move.state };
  const gone = move.state === 'pending' ? [{ ...first, state: 'leaving' as const }] : [];
  const spec: ShardSpec = { ...before, endpoints: [...gone, second, arriving] };
  const generation = await generationOf(admin, spec);
  proxy.forget();
  const startedAt = performance.now();
  await admin.mergePatch(SHARDS, { name: SHARD_FACTS.name(spec) }, { spec: SHARD_FACTS.spec(spec) });
  await until('the change is reported', () => hasReported(bench, generation + 1, SHARD_FACTS.name(spec)));
  const commands = proxy.commands();
  const loads = commands.filter(({ name }) => name === 'load-conn');
  return {
    concernedPeer: move.state === 'pending' ? first.host : arriving.host,
    connectionsSent: loads.map(({ connection }) => connection),
    commands: countsOf(commands),
    secondsToLoaded: secondsBetween(startedAt, loads.at(-1)?.answeredAt ?? NaN),
    secondsToReported: secondsBetween(startedAt, performance.now()),
  };
}

async function generationOf(admin: Client, spec: ShardSpec): Promise<number> {
  const object = await admin.get(SHARDS, { name: SHARD_FACTS.name(spec) });
  return (object as { metadata: { generation: number } }).metadata.generation;
}

interface ReportObject {
  readonly status?: { readonly loaded?: readonly { readonly name: string; readonly generation: number }[] };
}

/** `loaded`: every shard; a number: this generation of the named one. */
async function hasReported(bench: Bench, what: 'loaded' | number, name?: string): Promise<boolean> {
  const { status } = (await bench.cluster.admin.get(REPORTS, { name: SELF })) as ReportObject;
  const loaded = status?.loaded ?? [];
  return what === 'loaded'
    ? loaded.length === bench.facts.shards.length
    : loaded.some((entry) => entry.name === name && entry.generation === what);
}

/** A pass every 5 s: that is how often the agent reads charon. */
async function idleFigures(
  { proxy, agent }: Pick<Host, 'proxy' | 'agent'>,
  idleSeconds: number,
): Promise<object> {
  proxy.forget();
  const cpuBefore = agent.cpuSeconds();
  await new Promise((resolve) => setTimeout(resolve, 1000 * idleSeconds));
  const commands = proxy.commands();
  const passes = commands.filter(({ name }) => name === 'list-conns').length;
  return {
    seconds: idleSeconds,
    passes,
    loads: commands.filter(({ name }) => name === 'load-conn').length,
    commands: countsOf(commands),
    agentCpuSecondsEach: rounded((agent.cpuSeconds() - cpuBefore) / passes),
  };
}

function answered(proxy: ViciProxy, name: string): ViciCommand[] {
  return proxy.commands().filter((command) => command.name === name && command.answeredAt !== undefined);
}

function countsOf(commands: readonly ViciCommand[]): object {
  const groups = Map.groupBy(commands, ({ name }) => name);
  return Object.fromEntries([...groups].map(([name, list]) => [name, list.length]));
}

function secondsBetween(fromMs: number, toMs: number): number {
  return rounded((toMs - fromMs) / 1000);
}

async function main(full: boolean): Promise<void> {
  const missing = nativeCharonMissing();
  if (missing !== undefined) throw new Error(missing);
  await measureOrdinary(30, 10, full ? 11 : 6);
  if (!full) return measureLoad({ peers: 200, runs: 3, guardMode: 'off' });
  for (const guardMode of ['off', 'enforce'] as const) await measureLoad({ peers: 1000, runs: 5, guardMode });
}

if (import.meta.main) await main(process.argv.includes('--full'));
