// One program in the guest, seen from outside: its output so far, its end, waiting for either. The events come from
// guest-commands.ts.
import { createWriteStream } from 'node:fs';
import type { GuestEvent } from './guest-protocol.ts';

export interface CommandResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface GuestProcess {
  /** What it wrote so far; code and signal are null while it runs. */
  output(): CommandResult;
  /** Resolves when its output (both streams) matches; rejects when it ends or the time is over first. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<void>;
  kill(signal?: NodeJS.Signals): void;
  killGroup(signal?: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  wait(): Promise<CommandResult>;
}

export type EventSink = (event: Exclude<GuestEvent, { kind: 'hello' }>) => void;

/** `signal` sends one to the program or its group; `take` is to be called with its events in order. */
export function guestProcess(
  signal: (name: NodeJS.Signals, group: boolean) => void,
  logFile: string | undefined,
): { process: GuestProcess; take: EventSink } {
  const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const log = logFile === undefined ? undefined : createWriteStream(logFile, { flags: 'a' });
  const watchers = new Set<() => void>();
  let end: { code: number | null; signal: string | null } | undefined;
  const text = (stream: 'stdout' | 'stderr'): string => Buffer.concat(chunks[stream]).toString();
  const output = (): CommandResult => ({
    ...(end ?? { code: null, signal: null }),
    stdout: text('stdout'),
    stderr: text('stderr'),
  });
  const { promise: ended, resolve: endNow } = Promise.withResolvers<CommandResult>();
  const take: EventSink = (event) => {
    if (event.kind === 'output') {
      const data = Buffer.from(event.base64, 'base64');
      chunks[event.stream].push(data);
      log?.write(data);
    } else {
      end = { code: event.code, signal: event.signal };
      log?.end();
      endNow(output());
    }
    for (const watcher of watchers) watcher();
  };
  const waitFor = (pattern: RegExp, timeoutMs = 30_000): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = (error?: string): void => {
        clearTimeout(timer);
        watchers.delete(look);
        if (error === undefined) resolve();
        else reject(new Error(`${error} before ${pattern}:\n${text('stdout')}${text('stderr')}`));
      };
      const look = (): void => {
        if (pattern.test(text('stdout') + text('stderr'))) done();
        else if (end !== undefined) done(`ended with ${end.code ?? end.signal}`);
      };
      const timer = setTimeout(() => done(`${timeoutMs} ms went by`), timeoutMs);
      watchers.add(look);
      look();
    });
  return {
    take,
    process: {
      output,
      waitFor,
      kill: (name = 'SIGTERM') => signal(name, false),
      killGroup: (name = 'SIGKILL') => signal(name, true),
      wait: () => ended,
    },
  };
}
