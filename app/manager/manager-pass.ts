// One pass of the manager: look at the world, resolve, take each service one step further, write what differs, say in
// conditions and events how it stands. Pure code decides; this file reads and writes.
import type { HostReport } from '../domain/facts.ts';
import { networkSpec, type NetworkSettings } from '../domain/network.ts';
import { policyStatus, type PolicyStatus } from '../domain/policy-status.ts';
import type { StatusInput } from '../domain/programmed.ts';
import { resolve, type Resolved } from '../domain/resolve.ts';
import { rollOut, type RollOut } from '../domain/roll-out.ts';
import { serviceStandings } from '../domain/service-standing.ts';
import { NO_WAITS, tick, type WaitClock } from '../domain/waiting.ts';
import { statusWhileUnread } from '../domain/unread-kinds.ts';
import type { World } from '../domain/world.ts';
import type { ApiError } from '../kubernetes/api-error.ts';
import type { Client } from '../kubernetes/client.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import type { StoredPolicy } from '../kubernetes/read-policy.ts';
import type { Clock } from '../runtime/clock.ts';
import { describeError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log.ts';
import { factWriter, type FactWriter } from './fact-writer.ts';
import { eventReporter } from './report-events.ts';
import {
  policyStandings,
  unreadableLog,
  unreadKindsLog,
  writeStatuses,
  type PolicyStanding,
} from './report-problems.ts';
import type { WorldSource } from './world-source.ts';

export interface ManagerPassOptions {
  readonly client: Client;
  readonly source: WorldSource;
  readonly events: EventRecorder;
  readonly settings: NetworkSettings & { readonly stageWaitMs: number };
  readonly clock: Clock;
  readonly log: Log;
  /** Throws when this process leads no more. */
  readonly check: () => void;
  /** How all stands, for whoever counts. */
  readonly onStandings?: (input: StatusInput, policies: readonly PolicyStanding[]) => void;
}

/** A pass for the work loop; gives the milliseconds after which a wait ends, if one is running. */
export function managerPass(options: ManagerPassOptions): () => Promise<number | undefined> {
  const { source, clock, log } = options;
  const writer = factWriter(options);
  const reportEvents = eventReporter(options);
  const logUnreadable = unreadableLog(log, source);
  const logUnread = unreadKindsLog(log, source);
  let waits: WaitClock = NO_WAITS;
  return async () => {
    const world = source.world();
    logUnread();
    if (world === undefined) {
      mind(await saySo(options), log);
      return undefined;
    }
    logUnreadable();
    const before = waits;
    const step = nextStep(options, world, before);
    // Kept before anything is written: a wait goes on although the API does not answer.
    waits = step.waits;
    const refused = await writeFacts(options, writer, step);
    const input = statusInput(options, step);
    const policies = policyStandings(source, statusFrom(input));
    options.onStandings?.(input, policies);
    refused.push(...(await writeStatuses(options, policies)));
    const { refusals, againMs } = await reportEvents(input, policies);
    mind([...refused, ...refusals], log);
    if (hasNewOverdue(before, waits)) return 0;
    const waitMs = Math.min((waits.wakeAtMs ?? Infinity) - clock.monotonic(), againMs);
    return waitMs === Infinity ? undefined : Math.max(0, waitMs);
  };
}

/** Only what is certain to last counts: at a start all kinds are unread for a moment, and of a server that is away nothing is known. */
async function saySo(options: ManagerPassOptions): Promise<ApiError[]> {
  const unread = options.source.unread().filter(({ why }) => why !== 'failing');
  if (unread.length === 0) return [];
  const policies = policyStandings(options.source, ({ policy, status }) =>
    statusWhileUnread(policy, status, unread),
  );
  return writeStatuses(options, policies);
}

function statusFrom(input: StatusInput): (stored: StoredPolicy) => PolicyStatus {
  return ({ policy }) => policyStatus(policy, input);
}

interface StepTaken {
  readonly resolved: Resolved;
  readonly reports: readonly HostReport[];
  readonly plan: RollOut;
  readonly waits: WaitClock;
}

function nextStep(
  { source, clock, settings }: ManagerPassOptions,
  world: World,
  waits: WaitClock,
): StepTaken {
  const resolved = resolve(world);
  const reports = source.reports.values().flatMap(({ report }) => report ?? []);
  const { overdue, noAgentsOverdue } = waits;
  const plan = rollOut(resolved, { shards: source.shards.values(), reports, overdue, noAgentsOverdue });
  return {
    resolved,
    reports,
    plan,
    waits: tick(waits, plan, clock.monotonic(), settings.stageWaitMs),
  };
}

async function writeFacts(
  { clock, settings, log }: ManagerPassOptions,
  writer: FactWriter,
  { resolved, plan }: StepTaken,
): Promise<ApiError[]> {
  const startedMs = clock.monotonic();
  const written = [
    await writer.network(networkSpec(settings, resolved.pools)),
    await writer.hosts(resolved.hosts),
    await writer.shards(plan),
  ];
  const count = written.reduce((sum, { writes }) => sum + writes, 0);
  if (count > 0)
    log.info({ written: count, durationMs: Math.round(clock.monotonic() - startedMs) }, 'facts written');
  return written.flatMap(({ refusals }) => refusals);
}

/** How it stands in the API after the writes. */
function statusInput(
  { source, settings }: ManagerPassOptions,
  { resolved, reports, waits }: StepTaken,
): StatusInput {
  return {
    resolved,
    reports,
    guardMode: settings.guardMode,
    standingOf: serviceStandings(resolved, source.shards.values(), reports),
    overdue: waits.overdue,
  };
}

/**
 * A refusal that can pass is thrown, for another pass soon. One that cannot is said, and no reason to forget when a wait ends:
 * the next change brings it up again.
 */
function mind(refusals: readonly ApiError[], log: Log): void {
  const passing = refusals.find(({ retry }) => retry === 'soon');
  if (passing !== undefined) throw passing;
  for (const refusal of refusals)
    log.error({ reason: describeError(refusal) }, 'the API server refuses a write');
}

function hasNewOverdue(before: WaitClock, after: WaitClock): boolean {
  return (
    after.noAgentsOverdue !== before.noAgentsOverdue ||
    [...after.overdue].some((host) => !before.overdue.has(host))
  );
}
