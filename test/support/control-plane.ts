// A real control plane for tests: etcd, kube-apiserver and, on request, kube-controller-manager and kube-scheduler, native and
// on free ports. Certificates come from control-plane-pki.ts, processes from child.ts.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startChild, type Child } from './child.ts';
import { makeCa, makeKeyPair, type KeyPair, type TestCa } from './control-plane-pki.ts';

export interface ControlPlaneOptions {
  /** Where state, certificates and logs go; a new temporary directory, removed by `stop()`, when absent. */
  readonly dir?: string;
  readonly bindAddress?: string;
  /** The address written into the API and its certificate, when clients reach it by another than `bindAddress`. */
  readonly advertiseAddress?: string;
  readonly port?: number;
  readonly controllerManager?: boolean;
  /**
   * Controllers to run, as kube-controller-manager's flag takes them. By default all but the one that marks a Node
   * not ready after 40 s without a kubelet: no kubelet runs here, tests set a Node's state themselves.
   */
  readonly controllers?: readonly string[];
  readonly scheduler?: boolean;
  readonly serviceCidrs?: string;
}

export interface ControlPlane {
  readonly url: string;
  readonly caFile: string;
  readonly dir: string;
  readonly adminKubeconfig: string;
  /** etcd's client URL, for `etcdctl compaction` and the like. */
  readonly etcdUrl: string;
  /** Path of a kubeconfig whose client certificate says `user` in `groups`. */
  kubeconfig(user: string, groups: readonly string[]): string;
  /** Kills kube-apiserver at once and starts it again on the same port; resolves when it is ready. */
  restartApiServer(): Promise<void>;
  /** Kills kube-apiserver and leaves it down, until `restartApiServer`. */
  stopApiServer(): Promise<void>;
  /** Writes a snapshot of etcd into a file, as a backup does. */
  saveSnapshot(file: string): Promise<void>;
  /** As the platform's restore does: all stops, etcd begins anew with the snapshot, the control plane starts again. */
  restoreSnapshot(file: string): Promise<void>;
  stop(): Promise<void>;
}

interface Layout {
  readonly dir: string;
  readonly bindAddress: string;
  readonly address: string;
  readonly port: number;
  readonly etcdUrl: string;
  readonly serviceCidrs: string;
  readonly ca: TestCa;
  readonly serving: KeyPair;
  readonly serviceAccounts: KeyPair;
}

/** Starts it and resolves when `/readyz` says ok (RBAC's own roles included). Rejects with the tail of the log. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'control-plane-'));
  mkdirSync(dir, { recursive: true });
  const layout = await layOut(dir, options);
  const url = `https://${bracketed(layout.address)}:${layout.port}`;
  const kubeconfig = (user: string, groups: readonly string[]): string =>
    writeKubeconfig(layout, url, user, groups);
  const adminKubeconfig = kubeconfig('kubernetes-admin', ['system:masters']);
  let etcd = await startEtcd(layout, 'etcd');
  let restores = 0;
  let apiServer: Child | undefined;
  let controllerManager: Child | undefined;
  let scheduler: Child | undefined;

  const stop = async (): Promise<void> => {
    await Promise.all([scheduler?.kill(), controllerManager?.kill(), apiServer?.kill(), etcd.kill()]);
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  };
  const restartApiServer = async (): Promise<void> => {
    await apiServer?.kill();
    apiServer = startApiServer(layout);
    await ready(apiServer, url, layout);
  };
  const startControllers = (): void => {
    if (options.controllerManager === true)
      controllerManager = startControllerManager(layout, kubeconfig, options);
    if (options.scheduler === true) scheduler = startScheduler(layout, kubeconfig);
  };
  try {
    await restartApiServer();
    startControllers();
  } catch (error) {
    await Promise.all([apiServer?.kill(), etcd.kill()]);
    throw error;
  }
  return {
    url,
    caFile: layout.ca.certFile,
    dir,
    adminKubeconfig,
    etcdUrl: layout.etcdUrl,
    kubeconfig,
    restartApiServer,
    stopApiServer: async () => {
      await apiServer?.kill();
    },
    saveSnapshot: (file) => etcdctl(layout, ['snapshot', 'save', file]),
    restoreSnapshot: async (file) => {
      await Promise.all([scheduler?.kill(), controllerManager?.kill(), apiServer?.kill(), etcd.kill()]);
      const folder = `etcd-${++restores}`;
      await etcdctl(layout, ['snapshot', 'restore', file, `--data-dir=${join(dir, folder)}`]);
      etcd = await startEtcd(layout, folder);
      await restartApiServer();
      startControllers();
    },
    stop,
  };
}

async function layOut(dir: string, options: ControlPlaneOptions): Promise<Layout> {
  const bindAddress = options.bindAddress ?? '127.0.0.1';
  const address = options.advertiseAddress ?? (bindAddress === '0.0.0.0' ? '127.0.0.1' : bindAddress);
  const pki = join(dir, 'pki');
  mkdirSync(pki, { recursive: true });
  const ca = makeCa(pki, 'kubernetes-ca');
  const names = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  const addresses = ['127.0.0.1', address, '10.96.0.1'];
  const etcdPort = await freePort('127.0.0.1');
  return {
    dir,
    bindAddress,
    address,
    port: options.port ?? (await freePort(bindAddress)),
    etcdUrl: `http://127.0.0.1:${etcdPort}`,
    serviceCidrs: options.serviceCidrs ?? '10.96.0.0/12,fd00:10:96::/112',
    ca,
    serving: makeKeyPair(ca, 'kube-apiserver', { commonName: 'kube-apiserver', names, addresses }),
    serviceAccounts: makeKeyPair(ca, 'service-accounts', { commonName: 'service-accounts' }),
  };
}

/** etcd 3.4 as Debian has it; nothing here must survive a power cut, so no fsync. */
async function startEtcd(layout: Layout, folder: string): Promise<Child> {
  const peerPort = await freePort('127.0.0.1');
  const etcd = startChild({
    command: 'etcd',
    logFile: join(layout.dir, 'etcd.log'),
    args: [
      `--data-dir=${join(layout.dir, folder)}`,
      '--unsafe-no-fsync',
      `--listen-client-urls=${layout.etcdUrl}`,
      `--advertise-client-urls=${layout.etcdUrl}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      '--log-level=warn',
    ],
  });
  return etcd;
}

async function etcdctl({ etcdUrl }: Layout, args: readonly string[]): Promise<void> {
  const env = { ...process.env, ETCDCTL_API: '3' };
  await promisify(execFile)('etcdctl', [`--endpoints=${etcdUrl}`, ...args], { env });
}

function startApiServer(layout: Layout): Child {
  return startChild({
    command: kubernetesBinary('kube-apiserver'),
    logFile: join(layout.dir, 'kube-apiserver.log'),
    args: [
      `--etcd-servers=${layout.etcdUrl}`,
      `--bind-address=${layout.bindAddress}`,
      `--advertise-address=${layout.address}`,
      `--secure-port=${layout.port}`,
      `--cert-dir=${join(layout.dir, 'apiserver')}`,
      `--client-ca-file=${layout.ca.certFile}`,
      `--tls-cert-file=${layout.serving.certFile}`,
      `--tls-private-key-file=${layout.serving.keyFile}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      `--service-cluster-ip-range=${layout.serviceCidrs}`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${layout.serviceAccounts.certFile}`,
      `--service-account-signing-key-file=${layout.serviceAccounts.keyFile}`,
    ],
  });
}

function startControllerManager(
  layout: Layout,
  kubeconfig: ControlPlane['kubeconfig'],
  options: ControlPlaneOptions,
): Child {
  const controllers = options.controllers ?? ['*', '-node-lifecycle-controller'];
  return startChild({
    command: kubernetesBinary('kube-controller-manager'),
    logFile: join(layout.dir, 'kube-controller-manager.log'),
    args: [
      `--kubeconfig=${kubeconfig('system:kube-controller-manager', [])}`,
      '--leader-elect=false',
      '--secure-port=0',
      '--use-service-account-credentials=true',
      `--service-account-private-key-file=${layout.serviceAccounts.keyFile}`,
      `--root-ca-file=${layout.ca.certFile}`,
      `--cluster-signing-cert-file=${layout.ca.certFile}`,
      `--cluster-signing-key-file=${layout.ca.keyFile}`,
      `--controllers=${controllers.join(',')}`,
    ],
  });
}

function startScheduler(layout: Layout, kubeconfig: ControlPlane['kubeconfig']): Child {
  return startChild({
    command: kubernetesBinary('kube-scheduler'),
    logFile: join(layout.dir, 'kube-scheduler.log'),
    args: [
      `--kubeconfig=${kubeconfig('system:kube-scheduler', [])}`,
      '--leader-elect=false',
      '--secure-port=0',
    ],
  });
}

/** A kubernetes binary that scripts/setup has built; `IPSEC_CACHE` names another cache. */
export function kubernetesBinary(name: string): string {
  const cache = process.env['IPSEC_CACHE'] ?? join(homedir(), '.cache', 'ipsec-policy-operator');
  const found = ['kubernetes-1.34.4', 'build'].map((folder) => join(cache, folder, name)).find(existsSync);
  if (found === undefined) throw new Error(`${name} is not in ${cache}: run scripts/setup first`);
  return found;
}

function writeKubeconfig(layout: Layout, url: string, user: string, groups: readonly string[]): string {
  const base = [user, ...groups].join('+').replaceAll(/[^A-Za-z0-9+-]/g, '_');
  const pair = makeKeyPair(layout.ca, `client-${base}`, { commonName: user, organizations: groups });
  const path = join(layout.dir, `${base}.kubeconfig`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      { name: 'test', cluster: { server: url, 'certificate-authority-data': base64(layout.ca.certFile) } },
    ],
    contexts: [{ name: 'test', context: { cluster: 'test', user } }],
    users: [
      {
        name: user,
        user: { 'client-certificate-data': base64(pair.certFile), 'client-key-data': base64(pair.keyFile) },
      },
    ],
  };
  writeFileSync(path, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return path;
}

function base64(file: string): string {
  return readFileSync(file).toString('base64');
}

/** Asks until `/readyz` is 200 or the server has ended; 100 s at most. */
async function ready(server: Child, url: string, layout: Layout): Promise<void> {
  const deadline = performance.now() + 100_000;
  while (!(await answersOk(`${url}/readyz`, layout))) {
    if (server.exited() || performance.now() > deadline)
      throw new Error(`kube-apiserver is not ready:\n${server.logTail()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function answersOk(url: string, layout: Layout): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(
      url,
      { ca: readFileSync(layout.ca.certFile), agent: false, timeout: 5000 },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

/**
 * A TCP port that is free now, below those that the kernel gives out by itself: between now and its use, and while a server is
 * restarted on it, no connection that is made meanwhile takes it.
 */
export async function freePort(host: string): Promise<number> {
  const [lowest = 32_768] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
    .split(/\s+/)
    .map(Number);
  const first = 15_000;
  if (lowest - first < 1000)
    throw new Error(`no ports are left below ${lowest}, the first that the kernel gives out`);
  for (;;) {
    const port = randomInt(first, lowest);
    if (await canListen(host, port)) return port;
  }
}

/** Rejects with anything but a port that is taken. */
function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
