// The part of a pass that is about charon: read the file and charon, compare with the plan, apply, read back. What it remembers
// is pass-memory.ts; everything that decides is pure and lives in domain/, swanctl/ and demand.ts.
import type { Facts, GuardReport, HostName, HostReport } from '../domain/facts.ts';
import type { ConnectionName, HostConfig, HostPlan } from '../domain/host-config.ts';
import { assignNames } from '../domain/names.ts';
import type { Problem } from '../domain/problem.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { diff, type DiffInput } from '../swanctl/diff.ts';
import { leftOverIds } from '../swanctl/left-over.ts';
import type { FileState } from '../swanctl/load-plan.ts';
import type { Loaded } from '../swanctl/loaded.ts';
import type { Step } from '../swanctl/steps.ts';
import { installedChildKeys, verify } from '../swanctl/verify.ts';
import { applySteps, type Refusal } from './apply-steps.ts';
import type { CharonEar } from './charon-ear.ts';
import type { CharonSession } from './charon-link.ts';
import { demandOf, type DemandInput } from './demand.ts';
import { logSteps } from './log-steps.ts';
import type { PassMemory } from './pass-memory.ts';
import { refusalProblem } from './pass-problems.ts';
import { connectingNames, namesInCharon, readCharon } from './read-charon.ts';
import { flowsByService, makeReport, serviceIndex, type ReportInput, type ServiceFlows } from './report.ts';
import { silentTunnels } from './silent-tunnels.ts';
import { strayShards } from './stray-shards.ts';
import type { ServiceIndex } from './tunnel-traffic.ts';
import { unansweredOf } from './unanswered.ts';
import { unreachedOf } from './unreached.ts';

export interface ConfStore {
  read(): Promise<FileState>;
  write(config: HostConfig): Promise<void>;
  remove(): Promise<void>;
}

export interface ReconcileOptions {
  readonly conf: ConfStore;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1. */
  readonly random: () => number;
  /** How often charon is read back while nothing changes. */
  readonly verifyMs: number;
  readonly watcher?: PassWatcher;
  /** Absent: it is not said why a peer is not reached. */
  readonly ear?: CharonEar;
}

/** Whoever counts. */
export interface PassWatcher {
  /** In each look that ends a pass; `index` says which service a child belongs to. */
  onLook(loaded: Loaded, index: () => ServiceIndex): void;
  /** A tunnel to a peer was asked for in vain. */
  onHandshakeFailed(peer: HostName): void;
  /** The agent has met another charon. */
  onRestart(): void;
  onFlows(flows: ReadonlyMap<string, ServiceFlows> | undefined): void;
  /** Steps were done, or not: is all settled now? */
  onApplied(steps: number, isSettled: boolean): void;
}

/** How soon to look again after something was left undone; twice as long each time, up to `verifyMs`. */
const UNSETTLED_MS = 300;
/** How often a charon that has just been started is asked whether it has its files. */
const STARTING_LOOK_MS = 50;
/** How often charon is read back while protected flows are in use. */
const LIVE_LOOK_MS = 1000;
/** So many times longer than a look is the pause after it, where it follows from use alone. */
const LOOKING_SHARE = 5;

export interface Inputs {
  readonly facts: Facts;
  readonly plan: HostPlan;
  /** The guard's count of packets towards each endpoint. */
  readonly demand: ReadonlyMap<string, number> | undefined;
  readonly session: CharonSession;
}

export interface Outcome {
  readonly report: (problems: readonly Problem[], guard: GuardReport) => HostReport;
  readonly flows: () => ReadonlyMap<string, ServiceFlows>;
  readonly againMs: number;
}

/** Throws a WorldError when charon is lost or the file cannot be written. */
export async function reconcile(
  options: ReconcileOptions,
  memory: PassMemory,
  inputs: Inputs,
): Promise<Outcome> {
  const { conf, clock, random } = options;
  const { charon, sent } = inputs.session;
  const startedMs = clock.monotonic();
  const before = await look(options, inputs.session);
  const { plan } = inputs;
  const desired = assignNames(plan, readable(before.file) ?? memory.named, namesInCharon(before.loaded));
  memory.named = desired;
  const connecting = connectingNames(before.loaded);
  const demandMs = wantDemanded(memory, {
    plan,
    desired,
    loaded: before.loaded,
    counts: inputs.demand,
    nowMs: startedMs,
  });
  // Before anything is initiated again, so that charon's words about it are heard.
  await options.ear?.listen(memory.revival.nextInMs(startedMs) < Infinity);
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
  const unanswered = unansweredOf({
    desired,
    loaded: before.loaded,
    demand: memory.demand,
    nowMs: startedMs,
    before: memory.unanswered,
  });
  memory.unanswered = unanswered.memory;
  const isStarting = memory.isStarting(before.loaded, startedMs);
  const inVain = new Set<ConnectionName>();
  const onRetry = (connection: ConnectionName): void => void inVain.add(connection);
  const steps = isStarting
    ? []
    : [
        ...compare(before, memory.revival.due(desired, { nowMs: startedMs, random, connecting, onRetry })),
        ...unanswered.steps,
      ];
  const refusals = await applySteps(steps, {
    charon,
    sent,
    writeFile: (config) => conf.write(config),
    removeFile: () => conf.remove(),
  });
  memory.asked.note(steps, clock.monotonic());
  for (const { kind, connection } of refusals)
    if (kind === 'initiate' || kind === 'initiate-ike') inVain.add(connection);
  tellOfFailures(options.watcher, plan, inVain);
  logSteps(options.log, memory, { steps, refusals, durationMs: clock.monotonic() - startedMs });

  const nextMs = Math.min(
    demandMs,
    unanswered.againMs,
    isInUse(memory, startedMs)
      ? Math.max(LIVE_LOOK_MS, LOOKING_SHARE * (clock.monotonic() - startedMs))
      : Infinity,
    isStarting ? STARTING_LOOK_MS : Infinity,
  );
  const after = steps.length === 0 ? before : await look(options, inputs.session);
  const rest = steps.length === 0 && !isStarting ? [] : compare(after);
  return conclude(options, memory, {
    ...inputs,
    desired,
    loaded: after.loaded,
    rest,
    refusals,
    steps: steps.length,
    demandMs: nextMs,
    isStarting,
  });
}

function isInUse({ demand }: PassMemory, nowMs: number): boolean {
  return [...demand.endpoints.values()].some(({ grewMs }) => grewMs === nowMs);
}

/** Flows that are asked for and have no SA: they are initiated from here, by the rules of demand.ts. Gives when to look again. */
function wantDemanded(memory: PassMemory, input: Omit<DemandInput, 'before'>): number {
  const { wanted, memory: next, againMs } = demandOf({ ...input, before: memory.demand });
  memory.demand = next;
  memory.revival.want(wanted, next.lacking);
  return againMs;
}

interface Found {
  readonly file: FileState;
  readonly loaded: Loaded;
}

async function look({ conf }: ReconcileOptions, { charon }: CharonSession): Promise<Found> {
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
  /** How many were taken. */
  readonly steps: number;
  /** When to look at demand again. */
  readonly demandMs: number;
  /** Nothing was applied, and what is due still is. */
  readonly isStarting: boolean;
}

function conclude(options: ReconcileOptions, memory: PassMemory, applied: Applied): Outcome {
  const { plan, desired, loaded, rest, facts, session } = applied;
  const refused = applied.refusals.filter(({ kind }) => kind === 'load-connection');
  const nowMs = options.clock.monotonic();
  memory.leftOvers.seen(leftOverIds(desired, loaded), nowMs);
  memory.revival.seen(installedChildKeys(loaded), desired, nowMs);
  memory.unsettledPasses = rest.length === 0 ? 0 : memory.unsettledPasses + 1;
  options.watcher?.onLook(loaded, () => serviceIndex(plan, desired));
  options.watcher?.onApplied(applied.steps, rest.length === 0 && !applied.isStarting);
  const unanswered = memory.revival.unanswered(desired);
  const peers = peerProblems(options, memory, { plan, loaded, unanswered });
  const found: Omit<ReportInput, 'problems' | 'guard'> = {
    plan,
    config: desired,
    loaded,
    verification: verify(desired, loaded),
    unsettled: new Set(connectionsOf(rest, desired)),
    strays: strayShards(facts.shards, desired, loaded),
    unanswered,
    charonVersion: session.version,
  };
  return {
    report: (problems, guard) =>
      makeReport({ ...found, problems: [...problems, ...refused.map(refusalProblem), ...peers], guard }),
    flows: () => flowsByService(found),
    againMs: Math.min(
      options.verifyMs,
      rest.length === 0 ? Infinity : UNSETTLED_MS * 2 ** (memory.unsettledPasses - 1),
      applied.isStarting ? Infinity : memory.revival.nextInMs(nowMs),
      applied.demandMs,
      memory.leftOvers.nextInMs(nowMs),
    ),
  };
}

interface PeersInput extends Pick<Applied, 'plan' | 'loaded'> {
  readonly unanswered: ReadonlySet<ConnectionName>;
}

/** Peers that are not reached, and those from which nothing comes back. */
function peerProblems(
  { ear, clock }: ReconcileOptions,
  memory: PassMemory,
  { plan, loaded, unanswered }: PeersInput,
): Problem[] {
  const nowMs = clock.now();
  for (const connection of memory.unreached.keys()) if (!unanswered.has(connection)) ear?.forget(connection);
  const heard = (connection: string): ReturnType<CharonEar['heard']> => ear?.heard(connection);
  const unreached = unreachedOf({ plan, unanswered, heard, nowMs, before: memory.unreached });
  memory.unreached = unreached.memory;
  const silent = silentTunnels({
    plan,
    loaded,
    unanswered: memory.unanswered,
    nowMs,
    before: memory.silent,
  });
  memory.silent = silent.memory;
  return [...unreached.problems, ...silent.problems];
}

function tellOfFailures(
  watcher: PassWatcher | undefined,
  { connections }: HostPlan,
  inVain: ReadonlySet<ConnectionName>,
): void {
  for (const connection of connections)
    if (connection.kind === 'peer' && inVain.has(connection.name))
      watcher?.onHandshakeFailed(connection.peer);
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
