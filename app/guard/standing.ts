// How does the guard that was read back stand against what it should be? One word and two figures for the host's report. Pure.
import type { GuardMode, GuardReport } from '../domain/facts.ts';
import type { GuardState } from './read-back.ts';

export type StandingGuard = Pick<GuardReport, 'state' | 'rows' | 'holding'>;

export const UNKNOWN_GUARD: StandingGuard = { state: 'unknown', rows: 0, holding: 0 };

export interface StandingInput {
  /** What IPsecNetwork asks for. */
  readonly mode: GuardMode;
  readonly actual: GuardState;
  /** Nothing is to be done about it: the plan out of `actual` is empty. */
  readonly isDone: boolean;
}

export function standingGuard({ mode, actual, isDone }: StandingInput): StandingGuard {
  const isAbsent = actual.kind === 'absent' && actual.others.length === 0;
  if (!isDone) return { state: isAbsent ? 'missing' : 'differs', ...figures(actual) };
  if (actual.kind === 'present') return { state: actual.table.mode, ...figures(actual) };
  return { state: mode === 'off' ? 'off' : 'none', ...figures(actual) };
}

/** Of one that is left as it stands for want of facts: whether it is whole is all that can be said of it. */
export function keptGuard(actual: GuardState): StandingGuard {
  const isWhole = actual.kind === 'present' && actual.others.length === 0;
  return { state: isWhole ? actual.table.mode : 'differs', ...figures(actual) };
}

function figures(actual: GuardState): Pick<GuardReport, 'rows' | 'holding'> {
  if (actual.kind !== 'present') return { rows: 0, holding: 0 };
  const { elements } = actual.table;
  const clusterIps = elements.cluster_ips4.length + elements.cluster_ips6.length;
  return {
    rows: elements.endpoints4.length + elements.endpoints6.length + clusterIps,
    holding: elements.holding4.length + elements.holding6.length + clusterIps,
  };
}
