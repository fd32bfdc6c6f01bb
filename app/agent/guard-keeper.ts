// Keeps the guard as the plan says, around charon's steps: what must hold holds before children change, what may pass passes
// before children let go. A guard that cannot be installed is a Problem and stops nothing else: traps still protect.
import type { GuardMode, GuardReport } from '../domain/facts.ts';
import type { GuardRows } from '../domain/host-config.ts';
import type { Problem } from '../domain/problem.ts';
import type { GuardCounters } from '../guard/counters.ts';
import { applyGuard, readGuard } from '../guard/guard.ts';
import type { Nft } from '../guard/nft.ts';
import { planGuard, planTexts, type DesiredGuard, type GuardPlan } from '../guard/plan-guard.ts';
import type { GuardState } from '../guard/read-back.ts';
import { guardRuleset, type TableName } from '../guard/ruleset.ts';
import { keptGuard, standingGuard, UNKNOWN_GUARD } from '../guard/standing.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { guardDamage } from './guard-damage.ts';
import { guardRecord } from './guard-record.ts';
import { guardProblem } from './pass-problems.ts';

export interface GuardKeeperOptions {
  readonly nft: Nft;
  /** Interfaces of this host's pods, `cali*`. */
  readonly localInterfaces: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly watcher?: GuardWatcher;
}

/** Whoever counts. */
export interface GuardWatcher {
  /** In each look; undefined when there is no table or it cannot be read. */
  onCounters(counters: Pick<GuardCounters, 'drops' | 'held'> | undefined): void;
  /** What somebody else took away or changed is there again. */
  onRepair(): void;
}

/** One round of a pass: begun before charon is looked at, finished after its steps, whether they succeeded or not. */
export interface GuardRound {
  /** As they were before the round; absent when the table was not there or could not be read. */
  readonly counters: GuardCounters | undefined;
  /** Applies what must come after charon's steps; gives all problems of the round. */
  readonly finish: () => Promise<readonly Problem[]>;
}

export interface GuardKeeper {
  begin(rows: GuardRows, mode: GuardMode): Promise<GuardRound>;
  /**
   * For want of facts: makes a table in the file's mode when there is none of ours at all; touches none that is there.
   */
  restore(rows: GuardRows, mode: GuardMode): Promise<readonly Problem[]>;
  /** As it was read back last. */
  report(): GuardReport;
}

export function guardKeeper(options: GuardKeeperOptions): GuardKeeper {
  const { nft, log, watcher, clock } = options;
  const ruleset = guardRuleset(options.localInterfaces);
  const damage = guardDamage();
  const record = guardRecord(clock);
  let complaint = '';
  const alone = aloneTable();

  const look = async (): Promise<GuardState> => {
    let counters: GuardCounters | undefined;
    try {
      const state = await readGuard(nft, ruleset, alone.name());
      alone.found(state);
      if (state.kind === 'present') counters = state.table.counters;
      return state;
    } finally {
      watcher?.onCounters(counters);
    }
  };

  /** A failure is said once while it stays the same. */
  const attempt = async (work: () => Promise<void>): Promise<readonly Problem[]> => {
    try {
      await work();
      return [];
    } catch (error) {
      damage.failed();
      record.stands(UNKNOWN_GUARD);
      const problem = guardProblem(error);
      if (problem.message !== complaint) log.warn({ reason: problem.message }, 'the guard cannot be kept');
      complaint = problem.message;
      return [problem];
    }
  };

  const desiredGuard = (rows: GuardRows, mode: GuardMode): DesiredGuard => ({
    mode: isEmpty(rows) ? 'off' : mode,
    rows,
    ruleset,
  });

  /** What is to be done about it; how it stands is noted. */
  const planned = (mode: GuardMode, desired: DesiredGuard, actual: GuardState): GuardPlan => {
    const plan = planGuard(desired, actual);
    record.stands(standingGuard({ mode, actual, isDone: planTexts(plan).length === 0 }));
    return plan;
  };

  const finish = async (mode: GuardMode, desired: DesiredGuard, plan: GuardPlan): Promise<void> => {
    await applyGuard(nft, [...plan.hold, ...plan.remove]);
    complaint = '';
    const parts = partsOf(plan);
    if (parts.length > 0) {
      log.info({ parts }, 'guard changed');
      planned(mode, desired, await look());
    }
    const found = damage.mended(desired);
    if (found === undefined) return;
    log.warn({ found }, 'somebody else had changed the guard: it is put back');
    record.repaired();
    watcher?.onRepair();
  };

  return {
    begin: async (rows, mode) => {
      record.asked(mode);
      const desired = desiredGuard(rows, mode);
      let counters: GuardCounters | undefined;
      let plan: GuardPlan | undefined;
      const problems = await attempt(async () => {
        const state = await look();
        if (state.kind === 'present') counters = state.table.counters;
        const wanted = planned(mode, desired, state);
        damage.found(state, wanted);
        await applyGuard(nft, [...wanted.create, ...wanted.add, ...wanted.release]);
        plan = wanted;
      });
      return {
        counters,
        finish: async () => {
          const made = plan;
          return made === undefined ? problems : attempt(() => finish(mode, desired, made));
        },
      };
    },
    restore: (rows, mode) =>
      attempt(async () => {
        record.asked(mode);
        const state = await look();
        record.stands(keptGuard(state));
        if (state.kind !== 'absent' || state.others.length > 0) return;
        const desired = desiredGuard(rows, mode);
        const plan = planned(mode, desired, state);
        damage.found(state, plan);
        await applyGuard(nft, plan.create);
        await finish(mode, desired, plan);
      }),
    report: () => record.report(),
  };
}

/** Every so many looks all tables are listed: one of ours that nobody deleted is not missed for long. */
const LISTED_EVERY = 30;

/** The table that stood alone in the last look, as `readGuard` wants it. */
function aloneTable(): { name(): TableName | undefined; found(state: GuardState): void } {
  let known: TableName | undefined;
  let looks = 0;
  return {
    name: () => (looks++ % LISTED_EVERY === 0 ? undefined : known),
    found: (state) => {
      known = state.kind === 'present' && state.others.length === 0 ? state.table.name : undefined;
    },
  };
}

function partsOf(plan: GuardPlan): string[] {
  return Object.entries(plan).flatMap(([name, texts]: [string, readonly string[]]) =>
    texts.length === 0 ? [] : [name],
  );
}

/** Where nothing is protected no packet passes a rule of ours, and after a withdrawal nothing stays behind. */
function isEmpty({ endpoints, clusterIps }: GuardRows): boolean {
  return endpoints.length + clusterIps.length === 0;
}
