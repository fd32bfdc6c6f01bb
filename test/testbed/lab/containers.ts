// Runs a container with runc, in a host's namespaces or outside the guest, and says how it ended. What is in its
// configuration is container-config.ts's business.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from '../../support/child.ts';
import { until } from '../../support/until.ts';
import type { Lab } from './lab.ts';
import type { LabHost } from './topology.ts';

export type ProgramSignal = 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT';

/** A program that runs, in a container or not. */
export interface Program {
  /** Sends it a signal. */
  signal(name: ProgramSignal): Promise<void>;
  /** Resolves when it has ended. */
  ended(): Promise<void>;
}

/** One that says how it ended. */
export interface ContainerProgram extends Program {
  /** 128 and the signal when one ended it; undefined while it runs. */
  exitCode(): number | undefined;
}

export interface ContainerStart {
  /** Folder with its `config.json`. */
  readonly bundle: string;
  readonly id: string;
  readonly logFile: string;
  /** Outside the guest when undefined. */
  readonly place: LabHost | undefined;
}

/** `runc run` stays and ends with its container; signals go to the container's own first process. */
export async function startContainer(
  lab: Lab,
  { bundle, id, logFile, place }: ContainerStart,
): Promise<ContainerProgram> {
  const pidFile = join(bundle, 'pid');
  const state = place === undefined ? join(lab.dir, 'runc') : '/run/runc';
  const args = ['--root', state, 'run', '--bundle', bundle, '--pid-file', pidFile, id];
  const run = place === undefined ? outside(args, logFile) : inside(lab, place, args, logFile);
  await until(`the container ${id} runs`, () => existsSync(pidFile) || run.isOver(), 30_000);
  if (!existsSync(pidFile)) throw new Error(`runc has not started ${id}: see ${logFile}`);
  const pid = readFileSync(pidFile, 'utf8').trim();
  return {
    ended: () => run.ended(),
    exitCode: () => run.exitCode(),
    signal: async (name) => {
      if (!run.isOver()) await run.send(pid, name);
    },
  };
}

interface Runc {
  isOver(): boolean;
  exitCode(): number | undefined;
  ended(): Promise<void>;
  send(pid: string, signal: NodeJS.Signals): Promise<void>;
}

function outside(args: readonly string[], logFile: string): Runc {
  const child = startChild({ command: 'runc', args, logFile });
  return {
    isOver: () => child.exited(),
    exitCode: () => child.exitCode() ?? undefined,
    ended: () => child.ended(),
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
    exitCode: () => child.output().code ?? undefined,
    ended: async () => {
      await child.wait();
    },
    // It may end meanwhile.
    send: async (pid, signal) => {
      await lab.exec(host, ['/bin/kill', `-${signal.slice(3)}`, pid]);
    },
  };
}
