// Since when is an SA left over? The endpoint's host ends one only after the client's host has had the time to do it better
// (swanctl/left-over.ts). A time, not a number of passes: events make passes follow each other within milliseconds.
import type { DiffInput } from '../swanctl/diff.ts';

/** Longer than facts take to reach all hosts and be applied there. */
const PATIENCE_MS = 2000;

export interface LeftOverWatch {
  /** What is left over now, by unique id; all else is forgotten. */
  seen(ids: ReadonlySet<number>, nowMs: number): void;
  /** Those that were left over long enough: `stale` of diff.ts. */
  stale(nowMs: number): NonNullable<DiffInput['stale']>;
  /** When the next one becomes stale; Infinity when none will. */
  nextInMs(nowMs: number): number;
  /** Another charon, other ids. */
  clear(): void;
}

export function leftOverWatch(): LeftOverWatch {
  const since = new Map<number, number>();
  return {
    seen: (ids, nowMs) => {
      for (const id of since.keys()) if (!ids.has(id)) since.delete(id);
      for (const id of ids) if (!since.has(id)) since.set(id, nowMs);
    },
    stale: (nowMs) =>
      new Set([...since].filter(([, sinceMs]) => nowMs - sinceMs >= PATIENCE_MS).map(([id]) => id)),
    nextInMs: (nowMs) => {
      const waits = [...since.values()].map((sinceMs) => sinceMs + PATIENCE_MS - nowMs);
      return Math.min(Infinity, ...waits.filter((waitMs) => waitMs > 0));
    },
    clear: () => since.clear(),
  };
}
