// How far may the protection of one port go now? One step for each round of answers, never back but from release to prepare.
// Who has answered: answers.ts; which ports are wanted: roll-out.ts.
import type { Stage } from './facts.ts';
import type { ServiceAnswers } from './answers.ts';

/** What decides about a port that is wanted. */
export interface WantedSituation {
  readonly answers: ServiceAnswers;
  /** False: there is no live traffic to be careful with, and what comes must not start in plaintext. */
  readonly hasEndpoints: boolean;
  /** True when clients already hold all traffic to the service port behind which this port is new (a rolling update that changes a named port). */
  readonly isHeldAlready: boolean;
  /** True when every endpoint of the port is active whose own host is waited for: only then have peers loaded their side. */
  readonly isPrepared: boolean;
}

/**
 * ```
 * undefined, release, gone ─▶ prepare ──all answered, endpoints active──▶ protect ──all answered──▶ enforce
 *            └── no endpoints, held already ─────────────────────────────────────────────────────────▲
 * ```
 * Without anyone to wait for it goes to the end at once, but only when that has lasted (`mayGoAlone`).
 */
export function nextWantedStage(current: Stage | undefined, situation: WantedSituation): Stage {
  const { answers, hasEndpoints, isHeldAlready, isPrepared } = situation;
  if (!hasEndpoints || (current === undefined && isHeldAlready)) return 'enforce';
  const stage = isBeginning(current) ? 'prepare' : current;
  if (!answers.isAnyoneAwaited) return answers.mayGoAlone ? 'enforce' : stage;
  if (stage !== current || answers.missing.length > 0) return stage;
  return stage === 'prepare' ? afterPrepare(isPrepared) : 'enforce';
}

function isBeginning(current: Stage | undefined): current is undefined | 'release' | 'gone' {
  return current === undefined || current === 'release' || current === 'gone';
}

function afterPrepare(isPrepared: boolean): Stage {
  return isPrepared ? 'protect' : 'prepare';
}

/**
 * ```
 * any ─▶ release ──all answered──▶ gone ──every host with an agent has it, Ready or not──▶ undefined: not listed any more
 * ```
 * The last step waits for hosts that are not Ready too: a host that never saw `gone` keeps what it has in force.
 */
export function nextUnwantedStage(
  current: Stage,
  answers: ServiceAnswers,
  hasAgents: boolean,
): Stage | undefined {
  if (!hasAgents) return undefined;
  if (current === 'gone') return answers.isKnownToAll ? undefined : 'gone';
  if (!answers.isAnyoneAwaited) return 'gone';
  return current === 'release' && answers.missing.length === 0 ? 'gone' : 'release';
}
