// The whole lab: an API server outside, three hosts in the guest, with everything the platform has and nothing of
// our application. Suites and the demo start here.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestCluster, type TestCluster } from '../../support/test-cluster.ts';
import { openApi, type Api } from './api.ts';
import { startCapture, type Capture } from './capture.ts';
import {
  preparePlatform,
  restartManagementTraffic,
  startManagementTraffic,
  type PlatformIpsec,
} from './charon.ts';
import { applyNode, fillCluster } from './cluster.ts';
import { startGuest, type Guest } from './guest.ts';
import { startKubeProxies, type KubeProxies } from './kube-proxy.ts';
import { buildHosts, rebuildHost, setCut } from './network.ts';
import { makePki, type KeyKind } from './pki.ts';
import { places, type Places } from './places.ts';
import { openPods, type Pods } from './pods.ts';
import { HOST_NAMES, OUTSIDE_ADDRESS, type LabHost } from './topology.ts';
import { traffic, type Traffic } from './traffic.ts';

export interface LabOptions {
  /** Logs, captures, kubeconfigs; kept. A new temporary directory, removed by `stop`, when absent. */
  readonly dir?: string;
  /** Of the hosts' certificates: `rsa` as on Bullseye hosts when absent, `ecdsa` as on Trixie. */
  readonly keys?: KeyKind;
  /** kube-proxy on every host; yes when absent. */
  readonly kubeProxy?: boolean;
  readonly memoryMiB?: number;
  /**
   * Every controller and the scheduler, none of our definitions and no agent's label on `worker-0`: what the application finds
   * where it is about to be installed. A kubelet for each host must be started (kubelets.ts), or the hosts fail after 50 s.
   */
  readonly beforeInstall?: boolean;
  /** Told what is up, for a demo. */
  readonly onProgress?: (what: string) => void;
}

export interface Lab extends Places, PlatformIpsec, Pods, Traffic {
  readonly dir: string;
  /** Administrator of the API, plain JSON. */
  readonly api: Api;
  /** The control plane: its URL as hosts see it, kubeconfigs, its own client, stop and restart of the API server. */
  readonly cluster: TestCluster;
  readonly guest: Guest;
  readonly kubeProxies: KubeProxies | undefined;
  /** Captures on the cluster-host network. */
  capture(): Promise<Capture>;
  setNodeReady(host: LabHost, ready: boolean): Promise<void>;
  /** As `kubectl delete node` does; Calico frees its blocks later. What runs there goes on. `setNodeReady` brings it back. */
  removeNode(host: LabHost): Promise<void>;
  /** Nothing between two hosts gets through on the cluster-host network, silently. */
  cutNetwork(a: LabHost, b: LabHost): Promise<void>;
  healNetwork(a: LabHost, b: LabHost): Promise<void>;
  /**
   * Off and on again: pods, programs, interfaces and all that is in the kernel are gone, files are not. Resolves when the
   * platform's charon has loaded them; pods come with `startPods`, our agent with its kubelet.
   */
  rebootHosts(hosts: readonly LabHost[]): Promise<void>;
  /** Counters of /proc/net/xfrm_stat that are not zero. */
  xfrmStat(host: LabHost): Promise<Readonly<Record<string, number>>>;
  stop(): Promise<void>;
}

const CONTROLLERS = ['endpointslice-controller', 'garbage-collector-controller', 'namespace-controller'];

/** Resolves when the hosts' `system-nodes` SAs are up and the cluster's objects are written: 10-20 s. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'ipsec-lab-'));
  const open: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of open.toReversed()) await close();
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  };
  try {
    return await assemble(dir, options, open, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function assemble(
  dir: string,
  options: LabOptions,
  open: (() => Promise<unknown>)[],
  stop: () => Promise<void>,
): Promise<Lab> {
  const say = options.onProgress ?? ((): void => undefined);
  const guest = await startGuest({ dir, ...(options.memoryMiB && { memoryMiB: options.memoryMiB }) });
  open.push(() => guest.stop());
  const inside = places(guest);
  const [platform, { cluster, api }] = await Promise.all([
    startHosts(inside, dir, options.keys ?? 'rsa').then((up) => (say('three hosts with charon'), up)),
    startApi(dir, open, options.beforeInstall === true).then(
      (up) => (say('kube-apiserver and controllers'), up),
    ),
  ]);
  const kubeconfig = cluster.kubeconfig('system:kube-proxy', []);
  const kubeProxies = options.kubeProxy === false ? undefined : startKubeProxies(inside, dir, kubeconfig);
  const [pods] = await Promise.all([openPods(api, inside), startManagementTraffic(inside, platform)]);
  say('platform SAs between all hosts');
  let captures = 0;
  return {
    ...inside,
    ...platform,
    ...pods,
    ...traffic(inside),
    dir,
    api,
    cluster,
    guest,
    kubeProxies,
    capture: () => startCapture(inside, dir, ++captures),
    setNodeReady: (host, ready) => applyNode(api, host, { ready }),
    removeNode: (host) => api.remove({ apiVersion: 'v1', kind: 'Node', metadata: { name: host } }),
    cutNetwork: (a, b) => setCut(inside, [a, b], true),
    healNetwork: (a, b) => setCut(inside, [a, b], false),
    rebootHosts: async (hosts) => {
      for (const host of hosts) await pods.stopPods(host);
      for (const host of hosts) await rebuildHost(inside, host);
      await Promise.all(hosts.map((host) => platform.startCharon(host)));
      await Promise.all(hosts.map((host) => restartManagementTraffic(inside, host)));
    },
    xfrmStat: async (host) => readXfrmStat(await inside.readFile(host, '/proc/net/xfrm_stat')),
    stop,
  };
}

async function startHosts(inside: Places, dir: string, keys: KeyKind): Promise<PlatformIpsec> {
  await buildHosts(inside);
  const platform = await preparePlatform(inside, makePki(join(dir, 'pki'), keys), dir);
  await Promise.all(HOST_NAMES.map((host) => platform.startCharon(host)));
  return platform;
}

async function startApi(
  dir: string,
  open: (() => Promise<unknown>)[],
  beforeInstall: boolean,
): Promise<{ cluster: TestCluster; api: Api }> {
  const cluster = await startTestCluster({
    dir: join(dir, 'control-plane'),
    bindAddress: OUTSIDE_ADDRESS,
    port: 6443,
    controllerManager: true,
    ...(beforeInstall
      ? { controllers: ['*'], scheduler: true, withoutOurs: true }
      : { controllers: CONTROLLERS }),
  });
  open.push(() => cluster.stop());
  const api = openApi(cluster.adminKubeconfig);
  open.push(() => api.close());
  await fillCluster(api, beforeInstall ? ['controller-0', 'controller-1'] : HOST_NAMES);
  return { cluster, api };
}

function readXfrmStat(text: string): Record<string, number> {
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/));
  return Object.fromEntries(
    rows.flatMap(([name, count]) => (name && Number(count) > 0 ? [[name, Number(count)]] : [])),
  );
}
