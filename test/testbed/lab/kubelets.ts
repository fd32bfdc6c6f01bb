// A stand-in for the kubelets of all hosts: keeps their Nodes alive and takes up the pods of a namespace that a scheduler has bound to
// them. What it does with one is pod-life.ts's business. A pod of the host's network runs in its host, one of the pod network
// outside the guest, where the lab's control plane is, with an address of its own.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PodObject } from './kubelet.ts';
import type { Lab } from './lab.ts';
import { later, live, type KnownImage } from './pod-life.ts';
import { HOST_NAMES, HOSTS, type LabHost } from './topology.ts';

export interface KubeletOptions extends KnownImage {
  readonly namespace: string;
}

/** What happened to the container of a pod, for questions that no status answers. */
export interface Happening {
  readonly pod: string;
  readonly host: LabHost;
  readonly what: 'running' | 'ready' | 'unready' | 'unhealthy' | 'ended';
  /** Of `ended`. */
  readonly exitCode?: number;
}

export interface Kubelets {
  /** In order. */
  readonly happenings: readonly Happening[];
  /** What the containers of pods whose name begins so have written. */
  log(pod: string): string;
  /** Ends what runs, without a word to the API; rejects with what no kubelet would have let happen. */
  stop(): Promise<void>;
}

const LOOK_MS = 150;
const HEARTBEAT_MS = 10_000;

type Listed = PodObject & {
  readonly metadata: {
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
  };
};

interface Taken {
  /** Resolves when the pod is to go: with its grace period, or 0 when its object is gone already. */
  readonly leaving: Promise<number>;
  readonly leave: (graceSeconds: number) => void;
  readonly over: Promise<void>;
}

export function startKubelets(lab: Lab, options: KubeletOptions): Kubelets {
  const pods = new Map<string, Taken>();
  const happenings: Happening[] = [];
  const logs: { readonly pod: string; readonly file: string }[] = [];
  const errors: unknown[] = [];
  /** Told at once, since who waits for a pod would else learn of it when the time is over. */
  const fail = (error: unknown): void => {
    errors.push(error);
    console.error('a kubelet of the lab:', error);
  };
  let stopping = false;
  let outside = 0;
  mkdirSync(join(lab.dir, 'pods'), { recursive: true });

  const take = (object: Listed): void => {
    const { promise: leaving, resolve: leave } = Promise.withResolvers<number>();
    const host = object.spec.nodeName as LabHost;
    const place = object.spec.hostNetwork === true ? host : undefined;
    const logFile = join(lab.dir, 'pods', `${object.metadata.name}.log`);
    logs.push({ pod: object.metadata.name, file: logFile });
    const over = live({
      ...{ lab, images: options, object, host, place, leaving, logFile },
      address: place === undefined ? outsideAddress(++outside) : HOSTS[host].cluster,
      tell: (what, exitCode) =>
        happenings.push({
          pod: object.metadata.name,
          host,
          what,
          ...(exitCode !== undefined && { exitCode }),
        }),
      isStopping: () => stopping,
      fail,
    }).catch(fail);
    pods.set(object.metadata.uid ?? '', { leaving, leave, over });
  };
  const look = async (): Promise<void> => {
    const listed = (await lab.api.list(`/api/v1/namespaces/${options.namespace}/pods`)) as readonly Listed[];
    const there = new Map(listed.map((pod) => [pod.metadata.uid ?? '', pod]));
    for (const [uid, pod] of there) {
      const bound = (HOST_NAMES as readonly string[]).includes(pod.spec.nodeName);
      // In a list objects do not say what they are.
      if (!pods.has(uid) && bound) take({ ...pod, apiVersion: 'v1', kind: 'Pod' });
      if (pod.metadata.deletionTimestamp !== undefined)
        pods.get(uid)?.leave(pod.metadata.deletionGracePeriodSeconds ?? 0);
    }
    for (const [uid, taken] of pods) if (!there.has(uid)) taken.leave(0);
  };

  const rounds = [
    repeat(() => stopping, LOOK_MS, look, fail),
    repeat(
      () => stopping,
      HEARTBEAT_MS,
      () => heartbeat(lab),
      fail,
    ),
  ];
  return {
    happenings,
    log: (prefix) =>
      logs
        .filter(({ pod }) => pod.startsWith(prefix))
        .map(({ file }) => readFileSync(file, 'utf8'))
        .join(''),
    stop: async () => {
      stopping = true;
      for (const { leave } of pods.values()) leave(0);
      await Promise.all([
        ...rounds.map((round) => round.end()),
        ...[...pods.values()].map(({ over }) => over),
      ]);
      if (errors.length > 0) throw new AggregateError(errors, `kubelets: ${errors.map(String).join('; ')}`);
    },
  };
}

/** A Node whose Lease is not renewed counts as failed. */
async function heartbeat(lab: Lab): Promise<void> {
  const renewTime = new Date().toISOString().replace('Z', '000Z');
  await Promise.all(
    HOST_NAMES.map((host) =>
      lab.api.apply({
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { namespace: 'kube-node-lease', name: host },
        spec: { holderIdentity: host, leaseDurationSeconds: 40, renewTime },
      }),
    ),
  );
}

/** Beside those of the lab's network. */
function outsideAddress(number: number): string {
  return `10.10.11.${number}`;
}

interface Round {
  end(): Promise<void>;
}

/** Calls `act` now and again and again, never two at a time. */
function repeat(
  isOver: () => boolean,
  everyMs: number,
  act: () => Promise<void>,
  fail: (error: unknown) => void,
): Round {
  const { promise: ended, resolve: wake } = Promise.withResolvers<undefined>();
  const running = (async () => {
    while (!isOver()) {
      await act().catch(fail);
      await Promise.race([ended, later(everyMs)]);
    }
  })();
  return {
    end: async () => {
      wake(undefined);
      await running;
    },
  };
}
