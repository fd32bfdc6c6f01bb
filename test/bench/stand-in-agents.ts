// Hosts that are not there: watches the facts as agents do and writes every host's report, saying that all shards are in force as
// soon as they change. No charon, no plan; what an agent costs is agent.ts's to measure.
import { isDeepStrictEqual } from 'node:util';
import type { HostName, HostReport, NetworkFact, ShardFact } from '../../app/domain/facts.ts';
import type { Client } from '../../app/kubernetes/client.ts';
import { networkReader, shardReader } from '../../app/kubernetes/read-facts.ts';
import { NETWORKS, SHARDS } from '../../app/kubernetes/resources.ts';
import { WatchCache } from '../../app/kubernetes/watch-cache.ts';
import { writeReport } from '../../app/kubernetes/write-status.ts';
import { systemClock } from '../../app/runtime/clock.ts';
import { startWorkLoop } from '../../app/runtime/work-loop.ts';
import { hostName } from './bench-cluster.ts';

export interface StandInOptions {
  readonly client: Client;
  readonly hosts: number;
  /** A host writes no sooner than this after its last write: 0, or as agents share 50 writes a second. */
  readonly pauseMs: number;
}

export interface StandIns {
  /** Reports written so far. */
  readonly written: () => number;
  stop(): Promise<void>;
}

/** As an agent: a burst of changes is one look. */
const SETTLE_MS = 20;

export function startStandIns({ client, hosts, pauseMs }: StandInOptions): StandIns {
  let written = 0;
  const fatal = (error: unknown): void => {
    throw error;
  };
  const onChange = (): void => loops.forEach((loop) => loop.trigger());
  const callbacks = { client, clock: systemClock, onChange, onFailure: fatal, onBug: fatal };
  const networks = new WatchCache<NetworkFact>({ ...callbacks, resource: NETWORKS, read: networkReader() });
  const shards = new WatchCache<ShardFact>({ ...callbacks, resource: SHARDS, read: shardReader() });
  const current = (name: string): HostReport | undefined => {
    const [network] = networks.values();
    return network === undefined || !shards.synced ? undefined : reportOf(name, network.uid, shards.values());
  };
  const loops = [...Array(hosts).keys()].map((index) => {
    let last: HostReport | undefined;
    let notBeforeMs = 0;
    return startWorkLoop({
      clock: systemClock,
      settleMs: SETTLE_MS,
      onFailure: fatal,
      onBug: fatal,
      pass: async () => {
        const report = current(hostName(index));
        if (report === undefined || isDeepStrictEqual(report, last)) return undefined;
        const waitMs = notBeforeMs - performance.now();
        if (waitMs > 0) return waitMs;
        notBeforeMs = performance.now() + pauseMs;
        await writeReport(client, report, last);
        last = report;
        written += 1;
        return undefined;
      },
    });
  });
  networks.start();
  shards.start();
  return {
    written: () => written,
    stop: async () => {
      await Promise.all([...loops, networks, shards].map((one) => one.stop()));
    },
  };
}

function reportOf(host: string, networkUid: string, shards: readonly ShardFact[]): HostReport {
  const loaded = shards.map(({ version: { name, uid, generation } }) => ({ name, uid, generation }));
  return {
    host: host as HostName,
    networkUid,
    loaded: loaded.sort((a, b) => (a.name < b.name ? -1 : 1)),
    problems: [],
    peersNotReached: [],
    counters: { connections: 0, flows: 0, flowsInForce: 0, childSas: 0 },
    guard: { mode: 'enforce', state: 'enforce', rows: 1, holding: 1, repairs: 0, lastRepair: '' },
    charonVersion: 'stand-in',
  };
}
