// Brings a host's report into the API: the last one offered, when it differs from what stands there. Spread over time, so that
// all hosts of a large cluster together stay under 50 writes a second. Its own loop: an API that is away stops nothing else.
import { isDeepStrictEqual } from 'node:util';
import type { HostName, HostReport } from '../domain/facts.ts';
import type { Client } from '../kubernetes/client.ts';
import { reportReader, type StoredReport } from '../kubernetes/read-report.ts';
import { REPORTS } from '../kubernetes/resources.ts';
import { WatchCache } from '../kubernetes/watch-cache.ts';
import { writeReport } from '../kubernetes/write-status.ts';
import { startWorkLoop } from '../runtime/work-loop.ts';
import type { WatchCallbacks } from './facts-source.ts';

export interface Reporter {
  /** Cheap when nothing changed. */
  offer(report: HostReport): void;
  start(): void;
  stop(): Promise<void>;
}

export interface ReporterOptions extends Omit<WatchCallbacks, 'onChange'> {
  readonly client: Client;
  readonly self: HostName;
  /** How many hosts share the 50 writes a second. */
  readonly hosts: () => number;
  readonly random: () => number;
}

const WRITES_PER_SECOND = 50;

/** Writes only into this host's report; the object itself is made by the manager, and watched so that a new one is filled. */
export function startReporter(options: ReporterOptions): Reporter {
  const { client, self, clock } = options;
  let offered: HostReport | undefined;
  let notBeforeMs = 0;
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
      const entry = stored.items().get(self);
      if (offered === undefined || entry === undefined) return undefined;
      if (isDeepStrictEqual(entry.value.report, offered)) return undefined;
      const waitMs = notBeforeMs - clock.monotonic();
      if (waitMs > 0) return waitMs;
      notBeforeMs = clock.monotonic() + (1000 * options.hosts()) / WRITES_PER_SECOND;
      await writeReport(client, offered, entry.value.report);
      return undefined;
    },
  });
  return {
    offer: (report) => {
      if (isDeepStrictEqual(report, offered)) return;
      offered = report;
      loop.trigger();
    },
    start: () => stored.start(),
    stop: async () => {
      await Promise.all([loop.stop(), stored.stop()]);
    },
  };
}
