// What a kubelet writes into the status of a pod with one container. Pure.
import type { PodObject } from './kubelet.ts';

export type ContainerState =
  | { readonly waiting: { readonly reason: string; readonly message?: string } }
  | { readonly running: { readonly startedAt: string } }
  | { readonly terminated: { readonly exitCode: number; readonly reason: string } };

export interface PodSituation {
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
  readonly state: ContainerState;
  readonly ready: boolean;
  readonly restarts: number;
  readonly hostAddress: string;
  readonly address: string;
  /** When the pod was taken up. */
  readonly since: string;
}

/** The object to merge into the status; conditions are replaced as a whole. */
export function statusOf(pod: PodObject, situation: PodSituation): object {
  const { phase, state, ready, restarts, hostAddress, address, since } = situation;
  const { name, image } = pod.spec.containers[0] ?? { name: '', image: '' };
  const condition = (type: string, holds: boolean): object => ({
    type,
    status: holds ? 'True' : 'False',
    lastTransitionTime: new Date().toISOString(),
  });
  return {
    phase,
    startTime: since,
    hostIP: hostAddress,
    hostIPs: [{ ip: hostAddress }],
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [
      condition('PodScheduled', true),
      condition('Initialized', true),
      condition('ContainersReady', ready),
      condition('Ready', ready),
    ],
    containerStatuses: [
      { name, image, imageID: '', ready, started: 'running' in state, restartCount: restarts, state },
    ],
  };
}

export function terminated(exitCode: number): ContainerState {
  return { terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' } };
}
