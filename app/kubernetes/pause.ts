// Waiting that can be cut short.
import type { Clock } from '../runtime/clock.ts';

/** Resolves after `delayMs`, or at once when `signal` is aborted. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const end = (): void => resolve(undefined);
  const cancel = clock.schedule(delayMs, end);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  await promise;
  signal.removeEventListener('abort', end);
  cancel();
}
