// One pass of the agent: read the file and charon, plan, compare, apply, read back, report. What it remembers is
// pass-memory.ts; everything that decides is pure and lives in domain/ and swanctl/.
import type { Facts, HostName, HostReport } from '../domain/facts.ts';
import type { HostConfig, HostPlan } from '../domain/host-config.ts';
import { assignNames } from '../domain/names.ts';
import { planHost } from '../domain/plan-host.ts';
import type { Problem } from '../domain/problem.ts';
import type { Clock } from '../runtime/clock.ts';
import { isWorldError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log.ts';
import { diff, type DiffInput } from '../swanctl/diff.ts';
import { leftOverIds } from '../swanctl/left-over.ts';
import type { FileState } from '../swanctl/load-plan.ts';
import type { Loaded } from '../swanctl/loaded.ts';
import type { Step } from '../swanctl/steps.ts';
import { installedChildKeys, verify } from '../swanctl/verify.ts';
import { applySteps, type Refusal } from './apply-steps.ts';
import type { CharonLink, CharonSession } from './charon-link.ts';
import { demandOf, trappedKeys } from './demand.ts';
import type { KnownFacts } from './facts-source.ts';
import type { GuardKeeper } from './guard-keeper.ts';
import { logSteps } from './log-steps.ts';
import { passMemory, type PassMemory } from './pass-memory.ts';
import { problemOf, refusalProblem } from './pass-problems.ts';
import { connectingNames, namesInCharon, readCharon } from './read-charon.ts';
import { helplessReport, makeReport } from './report.ts';
import { strayShards } from './stray-shards.ts';

export interface ConfStore {
  read(): Promise<FileState>;
  write(config: HostConfig): Promise<void>;
  remove(): Promise<void>;
}

export interface AgentPassOptions {
  readonly self: HostName;
  /** Undefined until every watch has delivered its first complete list and the network is known (invariant 1). */
  readonly facts: () => KnownFacts | undefined;
  readonly link: CharonLink;
  readonly conf: ConfStore;
  /** Absent: nothing holds but traps. */
  readonly guard?: GuardKeeper;
  /** Called in each pass that knows something; equal states give equal reports. */
  readonly report: (report: HostReport) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1. */
  readonly random: () => number;
  /** How often charon is read back while nothing changes. */
  readonly verifyMs: number;
}

/** How soon to look again after something was left undone; twice as long each time, up to `verifyMs`. */
const UNSETTLED_MS = 300;

/** A pass for the work loop; gives the milliseconds after which to look again. */
export function agentPass(options: AgentPassOptions): () => Promise<number> {
  const { self, verifyMs } = options;
  const memory = passMemory();
  const report = (next: HostReport): void => {
    memory.report = next;
    options.report(next);
  };
  return async () => {
    const known = options.facts();
    const networkUid = known?.facts?.network.uid ?? '';
    const helpless = (problems: readonly Problem[]): HostReport =>
      helplessReport(self, networkUid, problems, memory.report);
    const problems = [...(known?.problems ?? [])];
    try {
      if (known?.facts !== undefined) {
        const outcome = await guarded(options, memory, known.facts, problems);
        report(outcome.report(problems));
        return outcome.againMs;
      }
      await openSession(options, memory);
      if (known !== undefined) report(helpless(problems));
      return verifyMs;
    } catch (error) {
      if (isWorldError(error)) report(helpless([problemOf(error), ...problems]));
      throw error;
    }
  };
}

/** The guard's part of a pass comes about even when charon is away: that is what it is for. Its problems are added. */
async function guarded(
  options: AgentPassOptions,
  memory: PassMemory,
  facts: Facts,
  problems: Problem[],
): Promise<Outcome> {
  const plan = planHost(facts, options.self);
  const round = await options.guard?.begin(plan.guard, facts.network.guardMode);
  try {
    const session = await openSession(options, memory);
    return await reconcile(options, memory, { facts, plan, session, demand: round?.counters?.demand });
  } finally {
    problems.push(...((await round?.finish()) ?? []));
  }
}

async function openSession({ link, log }: AgentPassOptions, memory: PassMemory): Promise<CharonSession> {
  const session = await link.session();
  if (memory.meets(session)) log.info({ charon: session.version }, 'connected to charon');
  return session;
}

interface Inputs {
  readonly facts: Facts;
  readonly plan: HostPlan;
  /** The guard's count of packets towards each endpoint. */
  readonly demand: ReadonlyMap<string, number> | undefined;
  readonly session: CharonSession;
}

interface Outcome {
  readonly report: (problems: readonly Problem[]) => HostReport;
  readonly againMs: number;
}

async function reconcile(options: AgentPassOptions, memory: PassMemory, inputs: Inputs): Promise<Outcome> {
  const { conf, clock, random } = options;
  const { charon, sent } = inputs.session;
  const startedMs = clock.monotonic();
  const before = await look(options, inputs.session);
  const { plan } = inputs;
  const desired = assignNames(plan, readable(before.file) ?? memory.named, namesInCharon(before.loaded));
  memory.named = desired;
  const connecting = connectingNames(before.loaded);
  memory.revival.want(demanded(memory, inputs, desired, before));
  const compare = (found: Found, wanted: DiffInput['wanted'] = []): Step[] =>
    diff({
      desired,
      ...found,
      sent,
      now: new Date(clock.now()).toISOString(),
      stale: memory.leftOvers.stale(startedMs),
      asked: memory.asked.current(clock.monotonic()),
      wanted,
    });
  const steps = compare(before, memory.revival.due(desired, { nowMs: startedMs, random, connecting }));
  const refusals = await applySteps(steps, {
    charon,
    sent,
    writeFile: (config) => conf.write(config),
    removeFile: () => conf.remove(),
  });
  memory.asked.note(steps, clock.monotonic());
  logSteps(options.log, memory, { steps, refusals, durationMs: clock.monotonic() - startedMs });

  const after = steps.length === 0 ? before : await look(options, inputs.session);
  const rest = steps.length === 0 ? [] : compare(after);
  return conclude(options, memory, { ...inputs, desired, loaded: after.loaded, rest, refusals });
}

/** Flows that are asked for and have no SA: they are initiated from here, by the rules of demand.ts. */
function demanded(
  memory: PassMemory,
  { plan, demand }: Inputs,
  desired: HostConfig,
  before: Found,
): ReadonlySet<string> {
  const { wanted, lacking } = demandOf({
    plan,
    desired,
    trapped: trappedKeys(readable(before.file)),
    installed: installedChildKeys(before.loaded),
    demand,
    demandBefore: memory.demand,
    lackedBefore: memory.lacking,
  });
  memory.demand = demand;
  memory.lacking = lacking;
  return wanted;
}

interface Found {
  readonly file: FileState;
  readonly loaded: Loaded;
}

async function look({ conf }: AgentPassOptions, { charon }: CharonSession): Promise<Found> {
  const [file, loaded] = await Promise.all([conf.read(), readCharon(charon)]);
  return { file, loaded };
}

/** The file is the memory of names. An agent that starts without a readable one takes names that are free in charon. */
function readable(file: FileState): HostConfig | undefined {
  return file !== undefined && 'connections' in file ? file : undefined;
}

interface Applied extends Inputs {
  readonly desired: HostConfig;
  /** Read back after the steps. */
  readonly loaded: Loaded;
  /** Steps that are still to be done. */
  readonly rest: readonly Step[];
  readonly refusals: readonly Refusal[];
}

function conclude(options: AgentPassOptions, memory: PassMemory, applied: Applied): Outcome {
  const { plan, desired, loaded, rest, facts, session } = applied;
  const refused = applied.refusals.filter(({ kind }) => kind === 'load-connection');
  const nowMs = options.clock.monotonic();
  memory.leftOvers.seen(leftOverIds(desired, loaded), nowMs);
  memory.revival.seen(installedChildKeys(loaded), desired);
  memory.unsettledPasses = rest.length === 0 ? 0 : memory.unsettledPasses + 1;
  return {
    report: (problems) =>
      makeReport({
        plan,
        config: desired,
        loaded,
        verification: verify(desired, loaded),
        unsettled: new Set(connectionsOf(rest, desired)),
        strays: strayShards(facts.shards, desired, loaded),
        unanswered: memory.revival.unanswered(desired),
        problems: [...problems, ...refused.map(refusalProblem)],
        charonVersion: session.version,
      }),
    againMs: Math.min(
      options.verifyMs,
      rest.length === 0 ? Infinity : UNSETTLED_MS * 2 ** (memory.unsettledPasses - 1),
      memory.revival.nextInMs(nowMs),
      memory.leftOvers.nextInMs(nowMs),
    ),
  };
}

/** Connections that are not yet as they should be; all of them while the file is not. */
function connectionsOf(rest: readonly Step[], desired: HostConfig): string[] {
  return rest.flatMap((step) => {
    switch (step.kind) {
      case 'write-file':
      case 'remove-file':
        return desired.connections.map(({ name }) => name);
      case 'load-connection':
        return [step.connection.name];
      default:
        return [];
    }
  });
}
