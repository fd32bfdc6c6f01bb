// A stand-in for the kubelet: makes a pod out of a workload's template, gets the token that is bound to it, and runs its
// container with runc, in a host's namespaces or outside. It starts nothing again by itself and asks no probes.
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { startChild } from '../../support/child.ts';
import { until } from '../../support/until.ts';
import type { KubeObject } from './api.ts';
import { containerConfig, type PodSpec } from './container-config.ts';
import type { Lab } from './lab.ts';
import { runtimeDefault } from './seccomp.ts';
import { HOSTS, OUTSIDE_ADDRESS, type LabHost } from './topology.ts';
import { unpackedImage, type UnpackedImage } from './unpacked-image.ts';

/** A program that runs, in a container or not. */
export interface Program {
  /** Sends it a signal. */
  signal(name: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Resolves when it has ended. */
  ended(): Promise<void>;
}

export interface PodTemplate {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec: PodSpec;
}

export interface PodOptions {
  readonly name: string;
  readonly namespace: string;
  readonly template: PodTemplate;
  /** The Node that the pod is bound to. */
  readonly node: LabHost;
  /** In this host's namespaces; outside the guest when absent, where the control plane of the lab is. */
  readonly place?: LabHost;
}

export interface RunOptions {
  readonly logFile: string;
  /** Instead of what the container's own variables say. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Pod {
  /** Starts its container; after its end also anew, with the same token. */
  run(options: RunOptions): Promise<Program>;
}

/** The pod as an object, and its token and CA in files; nothing runs yet. */
export async function makePod(lab: Lab, options: PodOptions): Promise<Pod> {
  const image = unpackedImage();
  const folder = join(lab.dir, 'pods', options.name);
  const secrets = join(folder, 'serviceaccount');
  mkdirSync(secrets, { recursive: true });
  await writeIdentity(lab, options, secrets);
  let starts = 0;
  return {
    run: ({ logFile, env = {} }) => {
      const id = `${options.name}-${process.pid}-${++starts}`;
      const bundle = join(folder, String(starts));
      mkdirSync(bundle);
      const config = configOf({ lab, image, options, secrets, env });
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(config, undefined, 2));
      return startContainer(lab, { bundle, id, logFile, place: options.place });
    },
  };
}

interface ConfigInput {
  readonly lab: Lab;
  readonly image: UnpackedImage;
  readonly options: PodOptions;
  readonly secrets: string;
  readonly env: Readonly<Record<string, string>>;
}

function configOf({ lab, image, options, secrets, env }: ConfigInput): object {
  const { name, namespace, node, place, template } = options;
  // Straight to where the Service `kubernetes` leads, so that no suite waits for a kube-proxy.
  const { hostname, port } = new URL(lab.cluster.url);
  return containerConfig({
    image,
    spec: template.spec,
    serviceAccountFolder: secrets,
    seccomp: runtimeDefault,
    fields: {
      'metadata.name': name,
      'metadata.namespace': namespace,
      'spec.nodeName': node,
      'status.podIP': place === undefined ? OUTSIDE_ADDRESS : HOSTS[place].cluster,
    },
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port, ...env },
  });
}

/** Files as a kubelet projects them: the token for the container's user alone. */
async function writeIdentity(lab: Lab, options: PodOptions, folder: string): Promise<void> {
  const { name, namespace, node, template } = options;
  const { serviceAccountName } = template.spec;
  const pod = await lab.api.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...template.metadata, name, namespace },
    spec: { ...template.spec, nodeName: node },
  });
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccountName}/token`;
  const answer = (await lab.api.call('POST', path, tokenRequest(pod))) as {
    readonly status: { readonly token: string };
  };
  const token = join(folder, 'token');
  writeFileSync(token, answer.status.token);
  chmodSync(token, 0o600);
  const user =
    template.spec.containers[0]?.securityContext?.runAsUser ?? template.spec.securityContext?.runAsUser;
  chownSync(token, user ?? 0, user ?? 0);
  writeFileSync(join(folder, 'namespace'), namespace);
  copyFileSync(lab.cluster.caFile, join(folder, 'ca.crt'));
  chmodSync(join(folder, 'ca.crt'), 0o644);
}

/** A kubelet asks for an hour and 7 s. */
function tokenRequest(pod: KubeObject): object {
  const { name, uid } = pod.metadata;
  return {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3607, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } },
  };
}

interface Start {
  readonly bundle: string;
  readonly id: string;
  readonly logFile: string;
  readonly place: LabHost | undefined;
}

/** `runc run` stays and ends with its container; signals go to the container's own first process. */
async function startContainer(lab: Lab, { bundle, id, logFile, place }: Start): Promise<Program> {
  const pidFile = join(bundle, 'pid');
  const state = place === undefined ? join(lab.dir, 'runc') : '/run/runc';
  const args = ['--root', state, 'run', '--bundle', bundle, '--pid-file', pidFile, id];
  const run = place === undefined ? outside(args, logFile) : inside(lab, place, args, logFile);
  await until(`the container ${id} runs`, () => existsSync(pidFile) || run.isOver(), 30_000);
  if (!existsSync(pidFile)) throw new Error(`runc has not started ${id}: see ${logFile}`);
  const pid = readFileSync(pidFile, 'utf8').trim();
  return {
    ended: () => run.ended(),
    signal: async (name) => {
      if (!run.isOver()) await run.send(pid, name);
    },
  };
}

interface Runc {
  isOver(): boolean;
  ended(): Promise<void>;
  send(pid: string, signal: NodeJS.Signals): Promise<void>;
}

function outside(args: readonly string[], logFile: string): Runc {
  const child = startChild({ command: 'runc', args, logFile });
  return {
    isOver: () => child.exited(),
    ended: () => until('runc has ended', () => child.exited()),
    send: (pid, signal) => {
      process.kill(Number(pid), signal);
      return Promise.resolve();
    },
  };
}

function inside(lab: Lab, host: LabHost, args: readonly string[], logFile: string): Runc {
  const child = lab.spawn(host, ['/usr/sbin/runc', ...args], { logFile });
  const isOver = (): boolean => {
    const { code, signal } = child.output();
    return code !== null || signal !== null;
  };
  return {
    isOver,
    ended: async () => {
      await child.wait();
    },
    // It may end meanwhile.
    send: async (pid, signal) => {
      await lab.exec(host, ['/bin/kill', `-${signal.slice(3)}`, pid]);
    },
  };
}
