// What does an agent do that knows no facts yet, because the API server is away? It plans nothing, loads nothing and takes
// nothing away; but tunnels that were up and that a restarted charon lacks it brings back, for what our file says (invariant 9).
import type { HostConfig } from '../domain/host-config.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FileState } from '../swanctl/load-plan.ts';
import { childKey, type Loaded } from '../swanctl/loaded.ts';
import { installedChildKeys } from '../swanctl/verify.ts';
import type { CharonSession } from './charon-link.ts';
import type { PassMemory } from './pass-memory.ts';
import { connectingNames, readCharon } from './read-charon.ts';
import { applySteps } from './apply-steps.ts';

export interface KeepUpOptions {
  readonly conf: { readonly read: () => Promise<FileState> };
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly verifyMs: number;
}

/** charon answers VICI before it has loaded the files. */
const LOADING_MS = 300;

/** One pass without facts; gives the milliseconds after which to look again. */
export async function keepUp(
  { conf, clock, random, verifyMs }: KeepUpOptions,
  memory: PassMemory,
  { charon, sent }: CharonSession,
): Promise<number> {
  const [file, loaded] = await Promise.all([conf.read(), readCharon(charon)]);
  if (file === undefined || !('connections' in file)) return verifyMs;
  const nowMs = clock.monotonic();
  memory.revival.seen(installedChildKeys(loaded), file, nowMs);
  const wanted = memory.revival.due(lacking(file, loaded), {
    nowMs,
    random,
    connecting: connectingNames(loaded),
  });
  const steps = wanted.map((child) => ({ kind: 'initiate' as const, ...child }));
  await applySteps(steps, { charon, sent, ...NO_FILE });
  return Math.min(verifyMs, Math.max(LOADING_MS, memory.revival.nextInMs(nowMs)));
}

/** What is in our file and loaded, and has no SA in any state. */
function lacking(file: HostConfig, { connections, ikeSas }: Loaded): HostConfig {
  const present = new Set(
    ikeSas.flatMap((sa) => sa.children.map((child) => childKey(sa.connection, child.name))),
  );
  return {
    ...file,
    connections: file.connections.map((connection) => {
      const isLacking = ({ name }: { readonly name: string }): boolean =>
        connections.get(connection.name)?.children.has(name) === true &&
        !present.has(childKey(connection.name, name));
      return { ...connection, children: connection.children.filter(isLacking) };
    }),
  };
}

const NO_FILE = {
  writeFile: () => Promise.reject(new Error('nothing is written without facts')),
  removeFile: () => Promise.reject(new Error('nothing is removed without facts')),
};
