// What does the host's report say of the guard? The state that was read back last, and the repairs. A guard that somebody takes
// away again and again must not become a write of the report each time: its repairs are told once a minute.
import type { GuardMode, GuardReport } from '../domain/facts.ts';
import { UNKNOWN_GUARD, type StandingGuard } from '../guard/standing.ts';
import type { Clock } from '../runtime/clock.ts';

/** Between two times of telling of repairs. */
const TELL_MS = 60_000;

export interface GuardRecord {
  asked(mode: GuardMode): void;
  stands(guard: StandingGuard): void;
  repaired(): void;
  report(): GuardReport;
}

export function guardRecord(clock: Clock): GuardRecord {
  let mode: GuardMode = 'enforce';
  let standing = UNKNOWN_GUARD;
  let repairs = 0;
  let lastRepair = '';
  let told: Pick<GuardReport, 'repairs' | 'lastRepair'> = { repairs, lastRepair };
  let toldMs = -Infinity;
  return {
    asked: (wanted) => {
      mode = wanted;
    },
    stands: (guard) => {
      standing = guard;
    },
    repaired: () => {
      repairs += 1;
      lastRepair = new Date(clock.now()).toISOString();
    },
    report: () => {
      const nowMs = clock.monotonic();
      if (repairs !== told.repairs && nowMs - toldMs >= TELL_MS) {
        told = { repairs, lastRepair };
        toldMs = nowMs;
      }
      return { mode, ...standing, ...told };
    },
  };
}
