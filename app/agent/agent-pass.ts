// One pass of the agent: read the file and charon, plan, compare, apply, read back, report. It holds the little that an
// agent remembers between passes; everything that decides is pure and lives in domain/ and swanctl/.
import type { Facts, HostName, HostReport } from '../domain/facts.ts';
import type { HostConfig } from '../domain/host-config.ts';
import { assignNames } from '../domain/names.ts';
import { planHost } from '../domain/plan-host.ts';
import type { Problem } from '../domain/problem.ts';
import type { Clock } from '../runtime/clock.ts';
import { describeError, isWorldError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log.ts';
import { diff, type DiffInput } from '../swanctl/diff.ts';
import { leftOverIds } from '../swanctl/left-over.ts';
import type { FileState } from '../swanctl/load-plan.ts';
import type { Step } from '../swanctl/steps.ts';
import { installedChildKeys, verify } from '../swanctl/verify.ts';
import { applySteps, type Refusal } from './apply-steps.ts';
import type { CharonLink, CharonSession } from './charon-link.ts';
import { namesInCharon, readCharon } from './read-charon.ts';
import { helplessReport, makeReport } from './report.ts';
import { revival, type Revival } from './revive.ts';

export interface ConfStore {
  read(): Promise<FileState>;
  write(config: HostConfig): Promise<void>;
  remove(): Promise<void>;
}

export interface KnownFacts {
  readonly facts: Facts;
  /** What is wrong with them, to be reported. */
  readonly problems: readonly Problem[];
}

export interface AgentPassOptions {
  readonly self: HostName;
  /** Undefined until every watch has delivered its first complete list and the network is known (invariant 1). */
  readonly facts: () => KnownFacts | undefined;
  readonly link: CharonLink;
  readonly conf: ConfStore;
  readonly report: (report: HostReport) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** How often charon is read back while nothing changes. */
  readonly verifyMs: number;
}

/** How soon to look again while something is still on its way. */
const UNSETTLED_MS = 300;
/** An IKE_SA that was asked to reauthenticate is not asked again for so long. */
const ASKED_MS = 60_000;

interface Memory {
  session: CharonSession | undefined;
  stale: ReadonlySet<number>;
  readonly asked: Map<number, number>;
  readonly revival: Revival;
  report: HostReport | undefined;
}

/** A pass for the work loop; gives the milliseconds after which to look again. */
export function agentPass(options: AgentPassOptions): () => Promise<number> {
  const memory: Memory = {
    session: undefined,
    stale: new Set(),
    asked: new Map(),
    revival: revival(),
    report: undefined,
  };
  const report = (next: HostReport): void => {
    memory.report = next;
    options.report(next);
  };
  return async () => {
    const known = options.facts();
    try {
      const session = await openSession(options, memory);
      if (known === undefined) return options.verifyMs;
      return await reconcile(options, memory, { known, session, report });
    } catch (error) {
      if (isWorldError(error))
        report(
          helplessReport(options.self, known?.facts.network.uid ?? '', [problemOf(error)], memory.report),
        );
      throw error;
    }
  };
}

async function openSession({ link, log }: AgentPassOptions, memory: Memory): Promise<CharonSession> {
  const session = await link.session();
  if (session !== memory.session) {
    log.info({ charon: session.version }, 'connected to charon');
    memory.session = session;
    memory.revival.restarted();
    memory.asked.clear();
    memory.stale = new Set();
  }
  return session;
}

interface Inputs {
  readonly known: KnownFacts;
  readonly session: CharonSession;
  readonly report: (report: HostReport) => void;
}

async function reconcile(options: AgentPassOptions, memory: Memory, inputs: Inputs): Promise<number> {
  const { conf, clock } = options;
  const { charon, sent, version } = inputs.session;
  const startedMs = clock.monotonic();
  const [file, loaded] = await Promise.all([conf.read(), readCharon(charon)]);
  const plan = planHost(inputs.known.facts, options.self);
  const desired = assignNames(
    plan,
    'connections' in (file ?? {}) ? (file as HostConfig) : undefined,
    namesInCharon(loaded),
  );
  const input: DiffInput = {
    desired,
    file,
    loaded,
    sent,
    now: new Date(clock.now()).toISOString(),
    stale: memory.stale,
    asked: stillAsked(memory, clock.monotonic()),
    wanted: memory.revival.due(desired, startedMs, Math.random),
  };
  const steps = diff(input);
  const refusals = await applySteps(steps, {
    charon,
    sent,
    writeFile: (config) => conf.write(config),
    removeFile: () => conf.remove(),
  });
  for (const step of steps)
    if (step.kind === 'reauthenticate' || step.kind === 'terminate-ike')
      memory.asked.set(step.uniqueId, clock.monotonic());

  const after =
    steps.length === 0 ? { file, loaded } : { file: await conf.read(), loaded: await readCharon(charon) };
  const rest = steps.length === 0 ? [] : diff({ ...input, ...after, wanted: [] });
  const unsettled = new Set([
    ...refusals.map(({ connection }) => connection),
    ...connectionsOf(rest, desired),
  ]);
  memory.stale = leftOverIds(desired, after.loaded);
  memory.revival.seen(installedChildKeys(after.loaded), desired);
  logSteps(options.log, steps, refusals, clock.monotonic() - startedMs);
  inputs.report(
    makeReport({
      plan,
      config: desired,
      loaded: after.loaded,
      verification: verify(desired, after.loaded),
      unsettled,
      problems: [...inputs.known.problems, ...refusals.map(refusalProblem)],
      charonVersion: version,
    }),
  );
  return rest.length > 0 || memory.revival.pending > 0 ? UNSETTLED_MS : options.verifyMs;
}

function stillAsked(memory: Memory, nowMs: number): ReadonlySet<number> {
  for (const [id, sinceMs] of memory.asked) if (nowMs - sinceMs > ASKED_MS) memory.asked.delete(id);
  return new Set(memory.asked.keys());
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
      case 'unload-connection':
        return [step.name];
      default:
        return [];
    }
  });
}

function problemOf(error: Error): Problem {
  const isFile = error.name === 'FileError';
  return {
    reason: isFile ? 'FileNotWritten' : 'CharonUnreachable',
    subject: isFile ? 'k8s-nodes.conf' : 'charon',
    message: describeError(error),
  };
}

function refusalProblem({ connection, message }: Refusal): Problem {
  return { reason: 'LoadFailed', subject: connection, message: `charon refused it: ${message}` };
}

function logSteps(log: Log, steps: readonly Step[], refusals: readonly Refusal[], durationMs: number): void {
  if (steps.length === 0) return;
  const counts = Object.fromEntries(
    [...Map.groupBy(steps, (step) => step.kind)].map(([kind, ofKind]) => [kind, ofKind.length]),
  );
  log.info({ steps: counts, durationMs: Math.round(durationMs) }, 'applied');
  for (const { connection, message } of refusals)
    log.warn({ connection, reason: message }, 'connection refused');
}
