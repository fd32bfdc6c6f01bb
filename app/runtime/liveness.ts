// Is the program alive, or does it only listen? What it is made of says how long it has shown no sign of life; /healthz fails when
// that is too long, and the kubelet starts the container anew. A server that is away is no reason: trying again is a sign of life.

/** Something that works, or waits for a bounded time. */
export interface Part {
  /** `the pass`, `the watch of ipsechosts`. */
  readonly name: string;
  /** Milliseconds since it did anything; 0 when it has nothing to do. */
  stillMs(): number;
}

/**
 * Far above what is bounded: a request 30 s, a watch 90 s of silence, a pause 30 s, nft 30 s, a command of charon 20 s, and a pass
 * with 20,000 children to load, 7 s (measured). With the chart's probe a stuck container is replaced after six minutes.
 */
export const STUCK_MS = 300_000;

/** What is stuck, or undefined. */
export function stuckPart(parts: readonly Part[]): string | undefined {
  const stuck = parts.find((part) => part.stillMs() > STUCK_MS);
  return stuck && `${stuck.name} has shown no sign of life for ${Math.round(stuck.stillMs() / 1000)} s`;
}
