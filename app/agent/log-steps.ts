// What a pass did, in the log: counts by kind, and what charon refused.
import type { Log } from '../runtime/log.ts';
import type { Step } from '../swanctl/steps.ts';
import type { Refusal } from './apply-steps.ts';
import type { PassMemory } from './pass-memory.ts';

export interface Done {
  readonly steps: readonly Step[];
  readonly refusals: readonly Refusal[];
  readonly durationMs: number;
}

/** Nothing for a pass that did nothing. What is refused as before is not news. */
export function logSteps(log: Log, memory: Pick<PassMemory, 'said'>, done: Done): void {
  const { steps, refusals, durationMs } = done;
  const text = JSON.stringify(refusals);
  const isNews = text !== memory.said;
  memory.said = text;
  if (steps.length === 0) return;
  if (steps.length > refusals.length || isNews) {
    const counts = [...Map.groupBy(steps, (step) => step.kind)].map(([kind, ofKind]) => [
      kind,
      ofKind.length,
    ]);
    log.info({ steps: Object.fromEntries(counts) as object, durationMs: Math.round(durationMs) }, 'applied');
  }
  if (isNews)
    for (const { kind, connection, message } of refusals)
      log.warn({ step: kind, connection, reason: message }, 'charon refused a step');
}
