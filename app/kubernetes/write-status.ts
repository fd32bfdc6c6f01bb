// Status: of a policy, written by the manager; of a host's report, written by that host's agent alone. Nothing is sent
// when nothing would change.
import { isDeepStrictEqual } from 'node:util';
import type { PolicyCondition } from '../domain/conditions.ts';
import type { HostReport } from '../domain/facts.ts';
import type { PolicyStatus } from '../domain/policy-status.ts';
import { wholeSeconds, type Clock } from '../runtime/clock.ts';
import type { Client } from './client.ts';
import { POLICIES, REPORTS } from './resources.ts';
import type { ReadVersion } from './write-facts.ts';

/** Gateway API's form of a condition. */
export interface Condition extends PolicyCondition {
  readonly observedGeneration: number;
  /** RFC 3339: when `status` last changed. */
  readonly lastTransitionTime: string;
}

/** `status` of an IPsecPolicy as it stands in the API. */
export interface StoredPolicyStatus extends Omit<PolicyStatus, 'conditions'> {
  readonly conditions: readonly Condition[];
}

export interface PolicyStatusWrite {
  readonly name: string;
  readonly read: ReadVersion;
  readonly wanted: PolicyStatus;
  readonly current: StoredPolicyStatus | undefined;
}

/** The object as it is now, for `WatchCache.accept`; undefined when the status already says that and nothing was sent. */
export async function writePolicyStatus(
  client: Client,
  clock: Clock,
  write: PolicyStatusWrite,
): Promise<unknown> {
  const { name, read, wanted, current } = write;
  const conditions = wanted.conditions.map((condition) => dated(condition, write, clock));
  const status: StoredPolicyStatus = { ...wanted, conditions };
  if (isDeepStrictEqual(status, current)) return undefined;
  const metadata = { uid: read.uid, resourceVersion: read.resourceVersion };
  const ref = { name, subresource: 'status' } as const;
  return client.mergePatch(POLICIES, ref, { metadata, status });
}

function dated(condition: PolicyCondition, write: PolicyStatusWrite, clock: Clock): Condition {
  const before = write.current?.conditions.find(({ type }) => type === condition.type);
  const unchanged = before?.status === condition.status;
  return {
    ...condition,
    observedGeneration: write.wanted.observedGeneration,
    lastTransitionTime: unchanged ? before.lastTransitionTime : wholeSeconds(clock.now()),
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
