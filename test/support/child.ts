// A long-running program of a test, with its output in a file. It dies with the test process, however that ends.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Child {
  readonly pid: number | undefined;
  exited(): boolean;
  /** Resolves when it has ended. */
  ended(): Promise<void>;
  /** Null while it runs, and when a signal ended it. */
  exitCode(): number | null;
  logTail(): string;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts a program under `setpriv --pdeathsig KILL`; standard output and error are appended to `logFile`. */
export function startChild(options: ChildOptions): Child {
  const log = openSync(options.logFile, 'a');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', options.command, ...options.args], {
    stdio: ['ignore', log, log],
    env: options.env ?? process.env,
  });
  closeSync(log);
  const gone = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
    child.on('error', () => resolve());
  });
  const exited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid,
    exited,
    ended: () => gone,
    exitCode: () => child.exitCode,
    logTail: () => readFileSync(options.logFile, 'utf8').split('\n').slice(-20).join('\n'),
    signal: (name) => {
      child.kill(name);
    },
    kill: async () => {
      if (!exited()) child.kill('SIGKILL');
      await gone;
    },
  };
}
