// A clock that only moves when a test moves it.
import type { Clock } from '../../app/runtime/clock.ts';

export interface VirtualClock extends Clock {
  /** Runs everything due within `ms`, in order, and lets promises settle after each. */
  advance(ms: number): Promise<void>;
  /** How many callbacks wait. */
  pending(): number;
}

export function virtualClock(startMs = Date.parse('2026-01-01T00:00:00Z')): VirtualClock {
  let elapsed = 0;
  let timers: { at: number; callback: () => void }[] = [];
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    pending: () => timers.length,
    schedule: (delayMs, callback) => {
      const timer = { at: elapsed + Math.max(0, delayMs), callback };
      timers.push(timer);
      return () => (timers = timers.filter((other) => other !== timer));
    },
    advance: async (ms) => {
      const end = elapsed + ms;
      for (;;) {
        await settle();
        const next = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        elapsed = Math.max(elapsed, next.at);
        next.callback();
      }
      elapsed = end;
      await settle();
    },
  };
}
