// Waiting for the real world in integration tests: asks again and again, and fails with what it was waiting for.

/** What has not come then never comes: not a measure of speed, so that a loaded machine fails nothing. Below mocha's own time. */
const LONG_MS = 60_000;

/** Resolves as soon as `isTrue` gives true; rejects after `timeoutMs` with `what`. */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = LONG_MS,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
