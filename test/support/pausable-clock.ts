// The real clock, whose timers a test can hold back: what SIGSTOP does to a process.
import { systemClock, type Clock } from '../../app/runtime/clock.ts';

/** Time goes on while it is paused, but nothing that was scheduled runs until `resume`. */
export function pausableClock(): Clock & { pause(): void; resume(): void } {
  let paused = false;
  let late: (() => void)[] = [];
  return {
    ...systemClock,
    schedule: (delayMs, callback) =>
      systemClock.schedule(delayMs, () => {
        if (paused) late.push(callback);
        else callback();
      }),
    pause: () => (paused = true),
    resume: () => {
      paused = false;
      const callbacks = late;
      late = [];
      for (const callback of callbacks) callback();
    },
  };
}
