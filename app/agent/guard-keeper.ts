// Keeps the guard as the plan says, around charon's steps: what must hold holds before children change, what may pass passes
// before children let go. A guard that cannot be installed is a Problem and stops nothing else: traps still protect.
import type { GuardMode } from '../domain/facts.ts';
import type { GuardRows } from '../domain/host-config.ts';
import type { Problem } from '../domain/problem.ts';
import type { GuardCounters } from '../guard/counters.ts';
import { applyGuard, readGuard } from '../guard/guard.ts';
import { GuardError, type Nft } from '../guard/nft.ts';
import { planGuard, type GuardPlan } from '../guard/plan-guard.ts';
import { guardRuleset } from '../guard/ruleset.ts';
import type { Log } from '../runtime/log.ts';

export interface GuardKeeperOptions {
  readonly nft: Nft;
  /** Interfaces of this host's pods, `cali*`. */
  readonly localInterfaces: string;
  readonly log: Log;
}

/** One round of a pass: begun before charon is looked at, finished after its steps, whether they succeeded or not. */
export interface GuardRound {
  /** As they were before the round; absent when the table was not there or could not be read. */
  readonly counters: GuardCounters | undefined;
  /** Applies what must come after charon's steps; gives all problems of the round. */
  finish(): Promise<readonly Problem[]>;
}

export interface GuardKeeper {
  begin(rows: GuardRows, mode: GuardMode): Promise<GuardRound>;
}

export function guardKeeper({ nft, localInterfaces, log }: GuardKeeperOptions): GuardKeeper {
  const ruleset = guardRuleset(localInterfaces);
  let wasThere = false;

  const said = (plan: GuardPlan): void => {
    const parts = Object.entries(plan).filter(([, texts]) => (texts as readonly string[]).length > 0);
    if (parts.length === 0) return;
    log.info({ parts: parts.map(([name]) => name) }, 'guard changed');
  };

  return {
    begin: async (rows, mode) => {
      try {
        const state = await readGuard(nft, ruleset);
        const plan = planGuard({ mode, rows, ruleset }, state);
        if (wasThere && state.kind !== 'present' && mode !== 'off')
          log.warn({ state: state.kind }, 'somebody else changed the guard: it is put back');
        await applyGuard(nft, [...plan.create, ...plan.add, ...plan.release]);
        said(plan);
        wasThere = mode !== 'off';
        return {
          counters: state.kind === 'present' ? state.table.counters : undefined,
          finish: () => problemsOf(() => applyGuard(nft, [...plan.hold, ...plan.remove])),
        };
      } catch (error) {
        const problems = [guardProblem(error)];
        return { counters: undefined, finish: () => Promise.resolve(problems) };
      }
    },
  };
}

async function problemsOf(apply: () => Promise<void>): Promise<readonly Problem[]> {
  try {
    await apply();
    return [];
  } catch (error) {
    return [guardProblem(error)];
  }
}

/** Anything but a GuardError is a bug and is thrown on. */
function guardProblem(error: unknown): Problem {
  if (!(error instanceof GuardError)) throw error;
  return {
    reason: 'GuardMissing',
    subject: 'guard',
    message: `The guard cannot be kept (${error.failure}): ${error.message}. Traps still protect, but nothing holds while charon is away. ${ADVICE[error.failure]}`,
  };
}

const ADVICE: Readonly<Record<GuardError['failure'], string>> = {
  missing: 'The image lacks nft.',
  unsupported: 'The kernel needs nf_tables with the families inet, ip and ip6, and nft_ct.',
  permission: 'The agent needs CAP_NET_ADMIN.',
  refused: 'It is tried again.',
  timeout: 'It is tried again.',
  unreadable: 'It is tried again.',
};
