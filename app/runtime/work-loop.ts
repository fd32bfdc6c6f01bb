// When to do the work: passes never overlap, triggers during a pass coalesce into one more, failures of the world are
// retried with jittered backoff, a bug is handed to `onBug`. What a pass does is not known here.
import type { Clock } from './clock.ts';
import { isWorldError, type WorldError } from './errors.ts';

export interface WorkLoopOptions {
  /** Reads, calls pure code, writes. May return after how many milliseconds it wants to run again. */
  readonly pass: () => Promise<number | undefined>;
  readonly clock: Clock;
  /** Collects a burst of triggers before a pass, in milliseconds. */
  readonly settleMs: number;
  /** A failure of the world: counted and logged by the caller. */
  readonly onFailure: (error: WorldError, retryMs: number) => void;
  /** Anything else. The process should end with its stack; the loop has stopped. */
  readonly onBug: (error: unknown) => void;
  /** Each pass, for whoever counts. */
  readonly onPass?: (done: PassDone) => void;
  readonly minBackoffMs?: number;
  readonly maxBackoffMs?: number;
  /** 0 to 1. */
  readonly random?: () => number;
}

export interface PassDone {
  /** Since the first trigger that it serves; absent when it was due by itself. */
  readonly waitedMs?: number;
  readonly durationMs: number;
  readonly isFailed: boolean;
}

export interface WorkLoop {
  /** Asks for a pass; many calls before it starts are one. */
  trigger(): void;
  /** How long the present pass has been running, in milliseconds; 0 between passes. */
  busyMs(): number;
  /** No pass starts any more; resolves when the running one has ended. */
  stop(): Promise<void>;
}

/** Starts a loop that waits for its first trigger. */
export function startWorkLoop(options: WorkLoopOptions): WorkLoop {
  const { clock, minBackoffMs = 200, maxBackoffMs = 30_000, random = Math.random } = options;
  let cancelTimer: (() => void) | undefined;
  let dueAt = Infinity;
  let running: Promise<void> | undefined;
  let asked = 0;
  let stopped = false;
  let failures = 0;
  let startedMs: number | undefined;
  let askedMs: number | undefined;

  const runAfter = (delayMs: number): void => {
    const at = clock.monotonic() + delayMs;
    if (stopped || at >= dueAt) return;
    cancelTimer?.();
    dueAt = at;
    cancelTimer = clock.schedule(delayMs, () => {
      dueAt = Infinity;
      cancelTimer = undefined;
      startedMs = clock.monotonic();
      running = runPass().finally(() => {
        running = undefined;
        startedMs = undefined;
      });
    });
  };

  const backoffMs = (): number =>
    Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(failures - 1, 20)) * (0.5 + random() / 2);

  const runPass = async (): Promise<void> => {
    const served = asked;
    const beganMs = clock.monotonic();
    const waited = askedMs === undefined ? {} : { waitedMs: beganMs - askedMs };
    askedMs = undefined;
    let nextMs: number | undefined;
    try {
      nextMs = await options.pass();
      failures = 0;
    } catch (error) {
      if (!isWorldError(error) || error.retry === 'never') {
        stopped = true;
        options.onBug(error);
        return;
      }
      failures += 1;
      nextMs = error.retry === 'soon' ? backoffMs() : undefined;
      options.onFailure(error, nextMs ?? Infinity);
    }
    options.onPass?.({ ...waited, durationMs: clock.monotonic() - beganMs, isFailed: failures > 0 });
    if (asked !== served) runAfter(failures > 0 ? Math.max(options.settleMs, nextMs ?? 0) : options.settleMs);
    if (nextMs !== undefined) runAfter(nextMs);
  };

  return {
    trigger: () => {
      asked += 1;
      askedMs ??= clock.monotonic();
      if (running === undefined) runAfter(options.settleMs);
    },
    busyMs: () => (startedMs === undefined ? 0 : clock.monotonic() - startedMs),
    stop: async () => {
      stopped = true;
      cancelTimer?.();
      await running;
    },
  };
}
