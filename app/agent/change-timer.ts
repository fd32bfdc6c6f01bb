// How long does a change take until it is in force? From the first change of facts that was not in force yet to the pass after which
// nothing is left to do. A change that asks nothing of this host is not counted.
import type { Clock } from '../runtime/clock.ts';

export interface ChangeTimer {
  /** Facts changed. */
  readonly began: () => void;
  /** A pass took so many steps, and left nothing undone or something. */
  readonly applied: (steps: number, isSettled: boolean) => void;
}

export function changeTimer(
  clock: Pick<Clock, 'monotonic'>,
  onInForce: (durationMs: number) => void,
): ChangeTimer {
  let sinceMs: number | undefined;
  let hasSteps = false;
  return {
    began: () => {
      sinceMs ??= clock.monotonic();
    },
    applied: (steps, isSettled) => {
      hasSteps ||= steps > 0;
      if (!isSettled) return;
      if (sinceMs !== undefined && hasSteps) onInForce(clock.monotonic() - sinceMs);
      sinceMs = undefined;
      hasSteps = false;
    },
  };
}
