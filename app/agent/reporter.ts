// Brings a host's report into the API: the last one offered, when it differs from what stands there. Spread over time, so that
// all hosts of a large cluster together stay under 50 writes a second. Its own loop: an API that is away stops nothing else.
import { isDeepStrictEqual } from 'node:util';
import type { HostName, HostReport } from '../domain/facts.ts';
import type { Client } from '../kubernetes/client.ts';
import { reportReader, type StoredReport } from '../kubernetes/read-report.ts';
import { REPORTS } from '../kubernetes/resources.ts';
import { WatchCache } from '../kubernetes/watch-cache.ts';
import { writeReport } from '../kubernetes/write-status.ts';
import type { Part } from '../runtime/liveness.ts';
import { startWorkLoop } from '../runtime/work-loop.ts';
import type { WatchCallbacks } from './facts-source.ts';

export interface Reporter {
  /** Cheap when nothing changed. */
  offer(report: HostReport): void;
  readonly parts: readonly Part[];
  start(): void;
  stop(): Promise<void>;
}

export interface ReporterOptions extends Omit<WatchCallbacks, 'onChange'> {
  readonly client: Client;
  readonly self: HostName;
  /** How many hosts share the 50 writes a second. */
  readonly hosts: () => number;
  /** 0 to 1. */
  readonly random: () => number;
}

const WRITES_PER_SECOND = 50;

/** Writes only into this host's report; the object itself is made by the manager, and watched so that a new one is filled. */
export function startReporter(options: ReporterOptions): Reporter {
  const { client, self, clock } = options;
  let offered: HostReport | undefined;
  const turn = writeTurns(options);
  const stored = new WatchCache<StoredReport>({
    client,
    resource: REPORTS,
    read: reportReader(),
    query: { fieldSelector: `metadata.name=${self}` },
    clock,
    onChange: () => loop.trigger(),
    onFailure: options.onFailure,
    onBug: options.onBug,
  });
  const loop = startWorkLoop({
    clock,
    settleMs: 10,
    onFailure: options.onFailure,
    onBug: options.onBug,
    pass: async () => {
      // A status of another version of the agent, which this one cannot read, is replaced.
      const isUnreadable = stored.unreadable().has(self);
      const isThere = isUnreadable || stored.items().has(self);
      const current = isUnreadable ? undefined : stored.items().get(self)?.value.report;
      if (offered === undefined || !isThere || isDeepStrictEqual(current, offered)) {
        turn.giveUp();
        return undefined;
      }
      const waitMs = turn.waitMs();
      if (waitMs > 0) return waitMs;
      // A turn that failed stays one: only the loop's pauses grow then.
      await writeReport(client, offered, current);
      turn.take();
      return undefined;
    },
  });
  return {
    offer: (report) => {
      if (isDeepStrictEqual(report, offered)) return;
      offered = report;
      loop.trigger();
    },
    parts: [
      { name: 'the watch of ipsechostreports', stillMs: () => stored.stillMs() },
      { name: 'the writing of the report', stillMs: () => loop.busyMs() },
    ],
    start: () => stored.start(),
    stop: async () => {
      await Promise.all([loop.stop(), stored.stop()]);
    },
  };
}

interface WriteTurns {
  /** How long until this host may write; 0 or less: now. */
  waitMs(): number;
  /** It has written. */
  take(): void;
  /** There is nothing to write any more. */
  giveUp(): void;
}

/**
 * One write of each host in a window as long as all hosts need at 50 a second. Where in it is chance: what makes one host report
 * makes all the others report in the same moment.
 */
function writeTurns({
  clock,
  hosts,
  random,
}: Pick<ReporterOptions, 'clock' | 'hosts' | 'random'>): WriteTurns {
  let dueMs: number | undefined;
  let lastMs = -Infinity;
  return {
    waitMs: () => {
      const nowMs = clock.monotonic();
      const windowMs = (1000 * hosts()) / WRITES_PER_SECOND;
      dueMs ??= Math.max(nowMs + windowMs * random(), lastMs + windowMs);
      return dueMs - nowMs;
    },
    take: () => {
      dueMs = undefined;
      lastMs = clock.monotonic();
    },
    giveUp: () => {
      dueMs = undefined;
    },
  };
}
