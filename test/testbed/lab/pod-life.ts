// The life of one pod with its kubelet: its container out of the image, probes, all of it said in the status, started again after its
// end, ended with its grace period, the object deleted. Which pods there are is kubelets.ts's business.
import { execFileSync } from 'node:child_process';
import { objectPath } from './api.ts';
import type { Container } from './container-config.ts';
import type { ContainerProgram } from './containers.ts';
import { podOf, type Pod, type PodObject } from './kubelet.ts';
import type { Happening } from './kubelets.ts';
import type { Lab } from './lab.ts';
import { statusOf, terminated, type PodSituation } from './pod-status.ts';
import { startProbes } from './probes.ts';
import { HOSTS, type LabHost } from './topology.ts';
import type { UnpackedImage } from './unpacked-image.ts';

export interface KnownImage {
  readonly image: UnpackedImage;
  /** What it is called on the hosts; a container that asks for another waits, as without a registry. */
  readonly imageNames: readonly string[];
}

/** The first wait of a kubelet before it starts a container again; it doubles. */
const BACK_OFF_MS = 10_000;
const MERGE = 'application/merge-patch+json';

export interface Life {
  readonly lab: Lab;
  readonly images: KnownImage;
  readonly object: PodObject;
  readonly host: LabHost;
  /** Where it runs: in this host, outside the guest when undefined. */
  readonly place: LabHost | undefined;
  readonly address: string;
  /** Resolves with the grace period when the pod is to go. */
  readonly leaving: Promise<number>;
  readonly logFile: string;
  readonly tell: (what: Happening['what'], exitCode?: number) => void;
  readonly fail: (error: unknown) => void;
  /** Nothing is said to the API any more. */
  readonly isStopping: () => boolean;
}

/** From the first sight of a pod to the end of its object. */
export async function live(life: Life): Promise<void> {
  const { lab, images, object, host, address, leaving, isStopping, fail } = life;
  const since = new Date().toISOString();
  const say = async (now: Pick<PodSituation, 'phase' | 'state' | 'ready' | 'restarts'>): Promise<void> => {
    if (isStopping()) return;
    const status = statusOf(object, { ...now, hostAddress: HOSTS[host].cluster, address, since });
    await unlessGone(lab.api.call('PATCH', `${objectPath(object)}/status`, { status }, MERGE)).catch(fail);
  };
  const [container] = object.spec.containers;
  if (container === undefined) throw new Error(`${object.metadata.name} has no container`);
  if (images.imageNames.includes(container.image)) await runAll(life, container, say);
  else {
    const message = `${container.image} is not on ${host}`;
    const state = { waiting: { reason: 'ErrImagePull', message } };
    await say({ phase: 'Pending', state, ready: false, restarts: 0 });
  }
  await leaving;
  const { uid } = object.metadata;
  if (!isStopping())
    await unlessGone(
      lab.api.call('DELETE', objectPath(object), { gracePeriodSeconds: 0, preconditions: { uid } }),
    );
}

type Say = (now: Pick<PodSituation, 'phase' | 'state' | 'ready' | 'restarts'>) => Promise<void>;

/** The container again and again, until the pod leaves or, where it is to run once, has ended. */
async function runAll(life: Life, container: Container, say: Say): Promise<void> {
  const { lab, images, object, place, address, leaving, tell } = life;
  if (place === undefined) changeAddress('add', address);
  const pod = await podOf(lab, { object, image: images.image, place, address });
  const restarts = object.spec.restartPolicy !== 'Never';
  const left = { it: false };
  void leaving.then(() => (left.it = true));
  for (let count = 0, wait = BACK_OFF_MS; !left.it; count += 1, wait *= 2) {
    const exitCode = await runOnce(life, { pod, container, count, say });
    tell('ended', exitCode);
    const phase = restarts ? 'Running' : exitCode === 0 ? 'Succeeded' : 'Failed';
    await say({ phase, state: terminated(exitCode), ready: false, restarts: count });
    if (!restarts) break;
    await Promise.race([leaving, later(wait)]);
  }
  if (place === undefined) changeAddress('del', address);
}

interface Run {
  readonly pod: Pod;
  readonly container: Container;
  readonly count: number;
  readonly say: Say;
}

/** One run; gives how it ended. */
async function runOnce(life: Life, { pod, container, count, say }: Run): Promise<number> {
  const { lab, object, place, address, leaving, logFile, tell } = life;
  const program = await pod.run({ logFile });
  const state = { running: { startedAt: new Date().toISOString() } };
  tell('running');
  // One after the other: the last word is what holds.
  let told = say({ phase: 'Running', state, ready: false, restarts: count });
  const probes = startProbes(
    lab,
    { container, place, address, logFile: `${logFile}.${count}.probes` },
    (ready) => {
      tell(ready ? 'ready' : 'unready');
      told = told.then(() => say({ phase: 'Running', state, ready, restarts: count }));
    },
  );
  const grace =
    (object.spec as { terminationGracePeriodSeconds?: number }).terminationGracePeriodSeconds ?? 30;
  const over = await Promise.race([
    program.ended().then(() => undefined),
    leaving,
    probes.unhealthy.then(() => {
      tell('unhealthy');
      return grace;
    }),
  ]);
  probes.stop();
  if (over !== undefined) await end(program, over);
  await told;
  return program.exitCode() ?? 255;
}

/** SIGTERM, and SIGKILL when the grace period is over. */
async function end(program: ContainerProgram, graceSeconds: number): Promise<void> {
  await program.signal(graceSeconds > 0 ? 'SIGTERM' : 'SIGKILL');
  const timer = setTimeout(() => void program.signal('SIGKILL'), graceSeconds * 1000);
  await program.ended();
  clearTimeout(timer);
}

function changeAddress(action: 'add' | 'del', address: string): void {
  execFileSync('ip', ['addr', action, `${address}/32`, 'dev', 'lo']);
}

/** The object may go at any moment. */
async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    const { status } = error as { status?: number };
    if (status !== 404 && status !== 409) throw error;
  }
}

export function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
