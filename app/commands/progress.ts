// Says what a command is doing when that takes longer than two seconds. On a terminal one line that is overwritten and wiped at the
// end; elsewhere (a log) a plain line for each step that takes as long.
import type { Clock } from '../runtime/clock.ts';

export interface Progress {
  /** From now on it is this that is done, `reading 3 of 12 hosts`. */
  readonly step: (what: string) => void;
  /** Nothing is left of it on a terminal. */
  end(): void;
}

export interface ProgressOptions {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
}

const QUIET_MS = 2000;

export function progress({ clock, write, isTerminal }: ProgressOptions): Progress {
  const startMs = clock.monotonic();
  let cancel = (): void => undefined;
  let hasWritten = false;
  const say = (what: string): void => {
    hasWritten = true;
    const seconds = Math.round((clock.monotonic() - startMs) / 1000);
    write(isTerminal ? `\r\u001b[K${what} (${seconds} s)` : `${what} (${seconds} s)\n`);
  };
  /** The seconds go on while the step stays; in a log a step is said once. */
  const repeat = (what: string, afterMs: number): void => {
    cancel = clock.schedule(afterMs, () => {
      say(what);
      if (isTerminal) repeat(what, 1000);
    });
  };
  return {
    step: (what) => {
      cancel();
      const isOnTerminalAlready = isTerminal && hasWritten;
      if (isOnTerminalAlready) say(what);
      repeat(what, isOnTerminalAlready ? 1000 : QUIET_MS);
    },
    end: () => {
      cancel();
      if (isTerminal && hasWritten) write('\r\u001b[K');
    },
  };
}
