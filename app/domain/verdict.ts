// How well does something stand? The words that commands answer in, in the order of their weight.

/** wrong: something is known not to be in force; unknown: it cannot be told. In the order of their weight. */
export const VERDICTS = ['wrong', 'unknown', 'well'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** One sentence, and how much it weighs. */
export interface Finding {
  readonly verdict: Verdict;
  readonly message: string;
}

/** `well` of nothing at all. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return VERDICTS.find((verdict) => verdicts.includes(verdict)) ?? 'well';
}

export function compareVerdicts(a: Verdict, b: Verdict): number {
  return VERDICTS.indexOf(a) - VERDICTS.indexOf(b);
}
