// What happens when nobody reads what a command prints, or there is no room for it: one line at most, never a stack trace.
import { describeError } from '../runtime/errors.ts';

/** Only the event; process.stdout and process.stderr have it. */
export interface Failing {
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/**
 * A reader that has seen enough (`status | head -1`) is no failure: the command goes on without it, and its exit code stays its
 * verdict. Anything else, a full disk, ends it by `fail`, for then what was printed is not whole.
 */
export function watchOutputs(outputs: readonly Failing[], fail: (reason: string) => void): void {
  for (const output of outputs)
    output.on('error', (error) => {
      if (error.code !== 'EPIPE') fail(`cannot write the output: ${describeError(error)}`);
    });
}
