// Many calls within a short time as one: for what comes one after the other and is better looked at together.
import type { Clock } from './clock.ts';

/** Gives a function whose first call makes `call` happen after `delayMs`; further ones until then add nothing. */
export function gather(clock: Clock, delayMs: number, call: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    clock.schedule(delayMs, () => {
      isDue = false;
      call();
    });
  };
}
