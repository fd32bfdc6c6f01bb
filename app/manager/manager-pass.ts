// One pass of the manager: look at the world, resolve, take each service one step further, write what differs, say in
// conditions and events how it stands. Pure code decides; this file reads and writes.
import type { HostReport } from '../domain/facts.ts';
import { problemsOfRows } from '../domain/conditions.ts';
import { networkSpec, type NetworkSettings } from '../domain/network.ts';
import { policyStatus } from '../domain/policy-status.ts';
import type { Problem } from '../domain/problem.ts';
import { resolve, type Resolved } from '../domain/resolve.ts';
import { rollOut } from '../domain/roll-out.ts';
import { serviceStandings } from '../domain/service-standing.ts';
import { NO_WAITS, tick, type WaitClock } from '../domain/waiting.ts';
import type { Client } from '../kubernetes/client.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import { NODES, POLICIES } from '../kubernetes/resources.ts';
import { writePolicyStatus } from '../kubernetes/write-status.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { factWriter } from './fact-writer.ts';
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
}

/** A pass for the work loop; gives the milliseconds after which a wait ends, if one is running. */
export function managerPass(options: ManagerPassOptions): () => Promise<number | undefined> {
  const { source, clock, settings, log } = options;
  const writer = factWriter(options);
  let waits: WaitClock = NO_WAITS;
  return async () => {
    const world = source.world();
    if (world === undefined) return undefined;
    const startedMs = clock.monotonic();
    const resolved = resolve(world);
    const reports = currentReports(source);
    const plan = rollOut(resolved, {
      shards: source.shards.values(),
      reports,
      overdue: waits.overdue,
      noAgentsOverdue: waits.noAgentsOverdue,
    });
    const before = waits;
    waits = tick(waits, plan, startedMs, settings.stageWaitMs);
    const written =
      (await writer.network(networkSpec(settings, resolved.pools))) +
      (await writer.hosts(resolved.hosts)) +
      (await writer.shards(plan));
    if (written > 0)
      log.info({ written, durationMs: Math.round(clock.monotonic() - startedMs) }, 'facts written');
    await reportOn(options, resolved, { reports, waits });
    if (hasNewOverdue(before, waits)) return 0;
    return waits.wakeAtMs === undefined ? undefined : Math.max(0, waits.wakeAtMs - clock.monotonic());
  };
}

function currentReports(source: WorldSource): HostReport[] {
  return source.reports.values().flatMap(({ report }) => (report === undefined ? [] : [report]));
}

interface Standing {
  readonly reports: readonly HostReport[];
  readonly waits: WaitClock;
}

/** Conditions from what stands in the API after the writes, and events for what is new. */
async function reportOn(options: ManagerPassOptions, resolved: Resolved, standing: Standing): Promise<void> {
  const { client, source, events, clock, check } = options;
  const input = {
    resolved,
    reports: standing.reports,
    standingOf: serviceStandings(resolved, source.shards.values(), standing.reports),
    overdue: standing.waits.overdue,
  };
  for (const entry of [...source.policies.items().values()]) {
    const { policy, status } = entry.value;
    check();
    const written = await writePolicyStatus(client, clock, {
      name: policy.name,
      read: entry,
      wanted: policyStatus(policy, input),
      current: status,
    });
    if (written !== undefined) source.policies.accept(written);
    const problems = problemsOfRows(resolved.rows.filter((row) => row.policy === policy.name));
    await events.report({ resource: POLICIES, name: policy.name, uid: policy.uid }, problems);
  }
  await reportHosts(options, resolved.problems);
}

/** Problems of hosts are events of their Node. */
async function reportHosts(
  { source, events }: ManagerPassOptions,
  problems: readonly Problem[],
): Promise<void> {
  const bySubject = Map.groupBy(problems, ({ subject }) => subject);
  for (const { name, uid } of source.nodes.values())
    await events.report({ resource: NODES, name, uid }, bySubject.get(name) ?? []);
}

function hasNewOverdue(before: WaitClock, after: WaitClock): boolean {
  return (
    after.noAgentsOverdue !== before.noAgentsOverdue ||
    [...after.overdue].some((host) => !before.overdue.has(host))
  );
}
