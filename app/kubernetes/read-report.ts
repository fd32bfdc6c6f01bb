// IPsecHostReport: what a host says of itself, once it has said anything.
import type { HostName, HostReport } from '../domain/facts.ts';
import { INTEGER, listOf, makeReader, METADATA, objectOf, optional, TEXT, toHostName } from './schema.ts';
import type { Metadata, Reader } from './schema.ts';

/** The object is made by the manager; `report` is absent until the host's agent has written its status. */
export interface StoredReport {
  readonly host: HostName;
  readonly report?: HostReport;
}

type RawStatus = Omit<HostReport, 'host' | 'peersNotReached'> & {
  readonly peersNotReached: readonly string[];
};

interface Raw {
  readonly metadata: Metadata;
  readonly status?: RawStatus | null;
}

export function reportReader(): Reader<StoredReport> {
  const schema = objectOf({ metadata: METADATA, status: optional(statusSchema()) }, ['metadata']);
  return makeReader<Raw, StoredReport>(schema, ({ metadata, status }) => {
    const host = toHostName(metadata.name);
    return status === undefined || status === null ? { host } : { host, report: reportOf(host, status) };
  });
}

function reportOf(host: HostName, status: RawStatus): HostReport {
  return { ...status, host, peersNotReached: status.peersNotReached.map(toHostName) };
}

function statusSchema(): ReturnType<typeof objectOf> {
  const version = { name: TEXT, uid: TEXT, generation: INTEGER };
  const problem = { reason: TEXT, subject: TEXT, message: TEXT };
  const counters = { connections: INTEGER, flows: INTEGER, flowsInForce: INTEGER, childSas: INTEGER };
  const guard = {
    mode: { enum: ['enforce', 'observe', 'off'] },
    state: { enum: ['enforce', 'observe', 'off', 'none', 'differs', 'missing', 'unknown'] },
    rows: INTEGER,
    holding: INTEGER,
    repairs: INTEGER,
    lastRepair: TEXT,
  };
  const properties = {
    networkUid: TEXT,
    loaded: listOf(objectOf(version, Object.keys(version))),
    problems: listOf(objectOf(problem, Object.keys(problem))),
    peersNotReached: listOf(TEXT),
    counters: objectOf(counters, Object.keys(counters)),
    guard: objectOf(guard, Object.keys(guard)),
    charonVersion: TEXT,
  };
  return objectOf(properties, Object.keys(properties));
}
