// Status: of a policy, written by the manager; of a host's report, written by that host's agent alone. Nothing is sent
// when nothing would change.
import { isDeepStrictEqual } from 'node:util';
import type { HostReport, Stage } from '../domain/facts.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Client } from './client.ts';
import { POLICIES, REPORTS } from './resources.ts';
import type { ReadVersion } from './write-facts.ts';

/** Gateway API's form of a condition, without the time of its last transition. */
export interface WantedCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export interface Condition extends WantedCondition {
  readonly observedGeneration: number;
  /** RFC 3339: when `status` last changed. */
  readonly lastTransitionTime: string;
}

/** One row of the policy, in its order. */
export interface PolicyRowStatus {
  readonly name: string;
  /** `kube-system/kube-dns`. */
  readonly service: string;
  /** The stage of the row's least advanced port; absent while nothing is protected. */
  readonly stage?: Stage;
  /** Protected endpoint ports, `udp/53`. */
  readonly ports: readonly string[];
  readonly endpoints: number;
  readonly hosts: number;
  readonly hostsInForce: number;
}

/** `status` of an IPsecPolicy as it stands in the API. */
export interface PolicyStatus extends Omit<WantedPolicyStatus, 'conditions'> {
  readonly conditions: readonly Condition[];
}

/** What the manager finds out; times of transition are added here. */
export interface WantedPolicyStatus {
  readonly observedGeneration: number;
  /** Rows that were accepted. */
  readonly policies: number;
  readonly endpoints: number;
  /** `2/3`. */
  readonly hosts: string;
  readonly conditions: readonly WantedCondition[];
  readonly rows: readonly PolicyRowStatus[];
}

export interface PolicyStatusWrite {
  readonly name: string;
  readonly read: ReadVersion;
  readonly wanted: WantedPolicyStatus;
  readonly current: PolicyStatus | undefined;
}

/** The object as it is now, for `WatchCache.accept`; undefined when the status already says that and nothing was sent. */
export async function writePolicyStatus(
  client: Client,
  clock: Clock,
  write: PolicyStatusWrite,
): Promise<unknown> {
  const { name, read, wanted, current } = write;
  const conditions = wanted.conditions.map((condition) => dated(condition, write, clock));
  const status: PolicyStatus = { ...wanted, conditions };
  if (isDeepStrictEqual(status, current)) return undefined;
  const metadata = { uid: read.uid, resourceVersion: read.resourceVersion };
  const ref = { name, subresource: 'status' } as const;
  return client.mergePatch(POLICIES, ref, { metadata, status });
}

function dated(condition: WantedCondition, write: PolicyStatusWrite, clock: Clock): Condition {
  const before = write.current?.conditions.find(({ type }) => type === condition.type);
  const unchanged = before?.status === condition.status;
  const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    ...condition,
    observedGeneration: write.wanted.observedGeneration,
    lastTransitionTime: unchanged ? before.lastTransitionTime : now,
  };
}

/**
 * Writes a host's report into the status of its object, which the manager has made. False when it equals what was
 * last written and nothing was sent. Throws NotFound while there is no object.
 */
export async function writeReport(
  client: Client,
  report: HostReport,
  lastWritten: HostReport | undefined,
): Promise<boolean> {
  if (isDeepStrictEqual(report, lastWritten)) return false;
  const { host, ...status } = report;
  await client.mergePatch(REPORTS, { name: host, subresource: 'status' }, { status });
  return true;
}
