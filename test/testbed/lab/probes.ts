// The probes of a container, asked from where its kubelet would ask. The asking and counting is probe.py's; what follows from an
// answer is kubelets.ts's business.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from '../../support/child.ts';
import type { Container, HttpProbe } from './container-config.ts';
import type { Lab } from './lab.ts';
import type { LabHost } from './topology.ts';

export interface ProbeOptions {
  readonly container: Container;
  /** On this host; outside the guest when undefined. */
  readonly place: LabHost | undefined;
  /** Of the pod, for probes that name no host. */
  readonly address: string;
  readonly logFile: string;
}

export interface Probes {
  /** Resolves when the liveness probe has failed too often. */
  readonly unhealthy: Promise<void>;
  stop(): void;
}

const PYTHON = '/usr/bin/python3';
const SCRIPT = join(import.meta.dirname, 'probe.py');
const LOOK_MS = 100;

/** Starts asking at once; `onReady` is called with each change, the first time when the container is ready. */
export function startProbes(lab: Lab, options: ProbeOptions, onReady: (ready: boolean) => void): Probes {
  const { container, place, address, logFile } = options;
  const list = [
    ...described('readiness', container.readinessProbe, container, address),
    ...described('liveness', container.livenessProbe, container, address),
  ];
  const { promise: unhealthy, resolve } = Promise.withResolvers<undefined>();
  // Without a readiness probe it is ready as soon as it runs.
  if (container.readinessProbe === undefined) onReady(true);
  if (list.length === 0) return { unhealthy, stop: () => undefined };
  const args = ['-IS', SCRIPT, JSON.stringify(list)];
  const stop = start(lab, place, args, logFile);
  let seen = 0;
  const timer = setInterval(() => {
    const lines = said(logFile).slice(seen);
    seen += lines.length;
    for (const line of lines)
      if (line === 'unhealthy') resolve(undefined);
      else onReady(line === 'ready');
  }, LOOK_MS);
  return {
    unhealthy,
    stop: () => {
      clearInterval(timer);
      stop();
    },
  };
}

function described(
  kind: string,
  probe: HttpProbe | undefined,
  container: Container,
  address: string,
): object[] {
  if (probe === undefined) return [];
  const { httpGet, ...counts } = probe;
  const { host = address, path, port } = httpGet;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  return [{ kind, host, path, port: named ?? Number(port), ...counts }];
}

function start(lab: Lab, place: LabHost | undefined, args: readonly string[], logFile: string): () => void {
  if (place === undefined) {
    const child = startChild({ command: PYTHON, args, logFile });
    return () => child.signal('SIGKILL');
  }
  const process = lab.spawn(place, [PYTHON, ...args], { logFile });
  return () => process.kill('SIGKILL');
}

/** Whole lines so far. */
function said(logFile: string): string[] {
  try {
    return readFileSync(logFile, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}
