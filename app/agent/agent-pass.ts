// One pass of the agent: the plan, the guard around everything, charon in the middle (reconcile.ts), the report. What it
// remembers is pass-memory.ts; everything that decides is pure and lives in domain/ and swanctl/.
import { isDeepStrictEqual } from 'node:util';
import { NO_GUARD, type Facts, type GuardReport, type HostName, type HostReport } from '../domain/facts.ts';
import { planHost } from '../domain/plan-host.ts';
import type { Problem } from '../domain/problem.ts';
import { isWorldError } from '../runtime/errors.ts';
import type { FileState } from '../swanctl/load-plan.ts';
import type { CharonLink, CharonSession } from './charon-link.ts';
import type { KnownFacts } from './facts-source.ts';
import { guardFromFile } from './guard-from-file.ts';
import type { GuardKeeper } from './guard-keeper.ts';
import { keepUp } from './keep-up.ts';
import { passMemory, type PassMemory } from './pass-memory.ts';
import { problemOf } from './pass-problems.ts';
import { reconcile, type Outcome, type ReconcileOptions } from './reconcile.ts';
import { helplessReport } from './report.ts';

export interface AgentPassOptions extends ReconcileOptions {
  readonly self: HostName;
  /** Undefined until every watch has delivered its first complete list and the network is known (invariant 1). */
  readonly facts: () => KnownFacts | undefined;
  readonly link: CharonLink;
  /** Absent: nothing holds but traps. */
  readonly guard?: GuardKeeper;
  /** Called in each pass that knows something; equal states give equal reports. */
  readonly report: (report: HostReport) => void;
}

/**
 * Without facts for so long, the guard is rebuilt from our file. Not at once: facts, which come within a second where there is an
 * API, also know the guard's mode, and a table that holds where the mode is off or observe would be a surprise at each start.
 */
const WITHOUT_FACTS_MS = 10_000;

/** A pass for the work loop; gives the milliseconds after which to look again. */
export function agentPass(options: AgentPassOptions): () => Promise<number> {
  const { self } = options;
  const memory = passMemory();
  const guardNow = (): GuardReport => options.guard?.report() ?? NO_GUARD;
  const report = (next: HostReport): void => {
    memory.report = next;
    options.report(next);
  };
  return async () => {
    const known = options.facts();
    const networkUid = known?.facts?.network.uid ?? '';
    const helpless = (problems: readonly Problem[]): HostReport =>
      helplessReport({ host: self, networkUid, problems, guard: guardNow(), last: memory.report });
    const problems = [...(known?.problems ?? [])];
    try {
      const facts = factsOf(known, self);
      if (facts !== undefined) {
        const outcome = await guarded(options, memory, facts, problems);
        const next = outcome.report(problems, guardNow());
        tellOfFlows(options, memory, outcome, next);
        report(next);
        return outcome.againMs;
      }
      const againMs = await withoutFacts(options, memory, problems);
      if (known !== undefined) report(helpless(problems));
      return againMs;
    } catch (error) {
      options.watcher?.onFlows(undefined);
      if (isWorldError(error)) report(helpless([problemOf(error), ...problems]));
      throw error;
    }
  };
}

/** Looked at again only when the report differs: of 20,000 flows that takes as long as the rest of the report. */
function tellOfFlows(
  { watcher }: AgentPassOptions,
  { report }: PassMemory,
  { flows }: Outcome,
  next: HostReport,
): void {
  if (watcher !== undefined && !isDeepStrictEqual(next, report)) watcher.onFlows(flows());
}

/**
 * Facts that do not know this host are none: the plan would be empty, and an agent with a wrong name would take away what
 * protects the host that it runs on.
 */
function factsOf(known: KnownFacts | undefined, self: HostName): Facts | undefined {
  return known?.facts?.hosts.some(({ name }) => name === self) === true ? known.facts : undefined;
}

/** The guard's part of a pass comes about even when charon is away: that is what it is for. Its problems are added. */
async function guarded(
  options: AgentPassOptions,
  memory: PassMemory,
  facts: Facts,
  problems: Problem[],
): Promise<Outcome> {
  memory.withoutFactsMs = undefined;
  const plan = planHost(facts, options.self);
  const round = await options.guard?.begin(plan.guard, facts.network.guardMode);
  try {
    const session = await openSession(options, memory);
    return await reconcile(options, memory, { facts, plan, session, demand: round?.counters?.demand });
  } finally {
    problems.push(...((await round?.finish()) ?? []));
  }
}

/** Nothing is planned; what stood is kept up, as our file says. Gives when to look again. */
async function withoutFacts(
  options: AgentPassOptions,
  memory: PassMemory,
  problems: Problem[],
): Promise<number> {
  const { guard, conf, clock } = options;
  const nowMs = clock.monotonic();
  memory.withoutFactsMs ??= nowMs;
  const waitMs = memory.withoutFactsMs + WITHOUT_FACTS_MS - nowMs;
  if (guard !== undefined && waitMs <= 0) problems.push(...(await restored(guard, await conf.read())));
  const againMs = await keepUp(options, memory, await openSession(options, memory));
  return guard !== undefined && waitMs > 0 ? Math.min(waitMs, againMs) : againMs;
}

async function restored(guard: GuardKeeper, file: FileState): Promise<readonly Problem[]> {
  if (file === undefined || !('connections' in file)) return [];
  return guard.restore(guardFromFile(file), file.guardMode ?? 'enforce');
}

async function openSession(
  { link, log, clock, watcher }: AgentPassOptions,
  memory: PassMemory,
): Promise<CharonSession> {
  const session = await link.session();
  if (!memory.meets(session, clock.monotonic())) return session;
  watcher?.onRestart();
  log.info({ charon: session.version }, 'connected to charon');
  return session;
}
