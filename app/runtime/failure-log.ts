// Failures that are tried again, in the log: the first one at once, the same ones after it once a minute with their number. A
// charon that is away for an hour is sixty lines and not a thousand.
import type { Clock } from './clock.ts';
import { describeError, type WorldError } from './errors.ts';
import type { Log } from './log.ts';

const AGAIN_MS = 60_000;
/** Reasons that are remembered; more than that at once are no pattern any more. */
const REASONS_AT_MOST = 100;

export interface FailureLogOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
  /** Each one, said or not. */
  readonly onEach?: (error: WorldError) => void;
}

export function failureLog({
  clock,
  log,
  onEach,
}: FailureLogOptions): (error: WorldError, retryMs: number) => void {
  const said = new Map<string, { atMs: number; since: number }>();
  return (error, retryMs) => {
    onEach?.(error);
    const reason = describeError(error);
    const nowMs = clock.monotonic();
    const last = said.get(reason);
    if (last !== undefined && nowMs - last.atMs < AGAIN_MS) {
      last.since += 1;
      return;
    }
    for (const [text, { atMs }] of said)
      if (nowMs - atMs >= AGAIN_MS || said.size > REASONS_AT_MOST) said.delete(text);
    said.set(reason, { atMs: nowMs, since: 0 });
    const times = last === undefined || last.since === 0 ? {} : { timesSince: last.since };
    log.warn({ reason, retryMs: Math.round(retryMs), ...times }, 'trying again');
  };
}
