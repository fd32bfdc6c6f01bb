// Did somebody else change the guard (`nft flush ruleset` takes it away)? Told from what this agent left there last; said once for
// each time, when it is mended. Mending is what each round does anyway: guard-keeper.ts.
import { planGuard, planTexts, type DesiredGuard, type GuardPlan } from '../guard/plan-guard.ts';
import type { GuardState } from '../guard/read-back.ts';

export interface GuardDamage {
  /** What was found, and what is going to be done about it. */
  found(state: GuardState, plan: GuardPlan): void;
  /** All of that was done. Gives what had been found, if it was somebody else's doing. */
  mended(desired: DesiredGuard): string | undefined;
  /** Some of it may have been done: the next difference may be our own. */
  failed(): void;
}

export function guardDamage(): GuardDamage {
  let left: DesiredGuard | undefined;
  let damage: string | undefined;
  return {
    found: (state, plan) => {
      if (planTexts(plan).length === 0) return;
      // A table of our rules is made in one transaction: no agent that died on the way has left this.
      if (state.kind === 'modified') damage = state.differences.join(', ');
      else if (left !== undefined && planTexts(planGuard(left, state)).length > 0) damage = FOUND[state.kind];
    },
    mended: (desired) => {
      const was = damage;
      left = desired;
      damage = undefined;
      return was;
    },
    failed: () => {
      left = undefined;
    },
  };
}

const FOUND = { absent: 'no table', present: 'other elements, or another mode' } as const;
