// Objects as a person's command shows them: a policy with the times of its conditions, a report with the time it was written, the
// leader's Lease, agents' pods. Read leniently: a cluster of another version should still be seen.
import type { AgentView, LeaderView, PolicyView, ReportView } from '../domain/cluster-view.ts';
import type { PolicyStatus } from '../domain/policy-status.ts';
import { reportReader } from './read-report.ts';
import {
  INTEGER,
  listOf,
  makeReader,
  METADATA,
  objectOf,
  optional,
  TEXT,
  type Metadata,
  type Reader,
} from './schema.ts';

interface RawPolicy {
  readonly metadata: Metadata;
  readonly status?: PolicyView['status'] | null;
}

export function policyViewReader(): Reader<PolicyView> {
  const schema = objectOf({ metadata: METADATA, status: optional(policyStatusSchema()) }, ['metadata']);
  return makeReader<RawPolicy, PolicyView>(schema, ({ metadata, status }) => ({
    name: metadata.name,
    generation: metadata.generation ?? 0,
    ...(status === undefined || status === null ? {} : { status }),
  }));
}

function policyStatusSchema(): ReturnType<typeof objectOf> {
  const stage = { enum: ['prepare', 'protect', 'enforce', 'release', 'gone'] };
  const row: Readonly<Record<Exclude<keyof PolicyStatus['rows'][number], 'stage'>, object>> = {
    name: TEXT,
    service: TEXT,
    ports: listOf(TEXT),
    endpoints: INTEGER,
    hosts: INTEGER,
    hostsInForce: INTEGER,
  };
  const condition = { type: TEXT, status: TEXT, reason: TEXT, message: TEXT, lastTransitionTime: TEXT };
  const properties = {
    observedGeneration: INTEGER,
    policies: INTEGER,
    endpoints: INTEGER,
    hosts: TEXT,
    conditions: listOf(objectOf(condition, Object.keys(condition))),
    rows: listOf(objectOf({ ...row, stage }, Object.keys(row))),
  };
  return objectOf(properties, Object.keys(properties));
}

interface RawReport {
  readonly metadata: { readonly managedFields?: readonly ManagedFields[] | null };
}

interface ManagedFields {
  readonly subresource?: string;
  readonly time?: string | null;
}

export function reportViewReader(): Reader<ReportView> {
  const read = reportReader();
  return (object) => {
    const reading = read(object);
    if (reading.kind !== 'value') return reading;
    const { metadata } = object as RawReport;
    const writes = (metadata.managedFields ?? []).filter(({ subresource }) => subresource === 'status');
    const writtenAt = writes
      .map(({ time }) => time ?? '')
      .filter((time) => time !== '')
      .sort()
      .at(-1);
    return {
      kind: 'value',
      value: {
        ...reading.value,
        ...(writtenAt === undefined ? {} : { writtenAt }),
      },
    };
  };
}

interface RawLease {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly renewTime?: string | null;
    readonly leaseDurationSeconds?: number | null;
  } | null;
}

export function leaseViewReader(): Reader<LeaderView> {
  const spec = objectOf(
    { holderIdentity: optional(TEXT), renewTime: optional(TEXT), leaseDurationSeconds: optional(INTEGER) },
    [],
  );
  return makeReader<RawLease, LeaderView>(objectOf({ spec: optional(spec) }, []), ({ spec: found }) => ({
    kind: 'lease',
    holder: found?.holderIdentity ?? '',
    renewedAt: found?.renewTime ?? '',
    durationSeconds: found?.leaseDurationSeconds ?? 0,
  }));
}

interface RawPod {
  readonly metadata: Metadata;
  readonly spec?: { readonly nodeName?: string | null } | null;
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[] | null;
    readonly containerStatuses?: readonly { readonly restartCount: number }[] | null;
  } | null;
}

export function agentPodReader(): Reader<AgentView> {
  const status = objectOf(
    {
      conditions: optional(listOf(objectOf({ type: TEXT, status: TEXT }, ['type', 'status']))),
      containerStatuses: optional(listOf(objectOf({ restartCount: INTEGER }, ['restartCount']))),
    },
    [],
  );
  const spec = objectOf({ nodeName: optional(TEXT) }, []);
  const schema = objectOf({ metadata: METADATA, spec: optional(spec), status: optional(status) }, [
    'metadata',
  ]);
  return makeReader<RawPod, AgentView>(schema, ({ metadata, spec: found, status: said }) => ({
    pod: metadata.name,
    host: found?.nodeName ?? '',
    ready: (said?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    restarts: (said?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0),
  }));
}
