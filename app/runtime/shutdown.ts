// How a program ends: a signal asks for it, a bug forces it. Protection stays as it is either way.
import type { Log } from './log.ts';

/** Resolves at the first SIGTERM or SIGINT. */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

/** Logs a bug with its stack and ends the process with 70 (EX_SOFTWARE); the supervisor starts it anew. */
export function dieOfBug(log: Log, error: unknown): never {
  log.fatal({ err: error }, 'internal error, please report');
  process.exit(70);
}
