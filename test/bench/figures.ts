// How a benchmark says what it found: one JSON line each, so that runs can be compared by program.
import { loadavg } from 'node:os';

const NOTE = 'counts are exact; times are of a shared machine: compare them, do not gate on them';

/** Prints one line on standard output. `load` is the machine's, of the last minute. */
export function printFigures(bench: string, figures: object): void {
  const load = rounded(loadavg()[0] ?? 0);
  process.stdout.write(`${JSON.stringify({ bench, ...figures, load, note: NOTE })}\n`);
}

/** To three places. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2;
}
