// The Lease as it stands in the API: read, written with the resourceVersion it was read with, given back. When it may
// be taken is lease.ts's question.
import type { Clock } from '../runtime/clock.ts';
import { ApiError, isNotFound } from './api-error.ts';
import type { Client } from './client.ts';
import { LEASES } from './resources.ts';
import {
  INTEGER,
  makeReader,
  METADATA,
  objectOf,
  optional,
  TEXT,
  type Metadata,
  type Reader,
} from './schema.ts';

/** One version of the Lease. */
export interface Seen {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly spec: LeaseSpec;
}

export interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly leaseDurationSeconds?: number | null;
  readonly acquireTime?: string | null;
  readonly leaseTransitions?: number | null;
}

export interface LeaseObject {
  /** undefined when there is none yet. */
  read(): Promise<Seen | undefined>;
  /** Creates it, or replaces exactly `seen`; throws a conflict when another was faster. */
  write(seen: Seen | undefined, spec: LeaseSpec): Promise<Seen>;
}

export function leaseObject(
  client: Client,
  clock: Clock,
  ref: { namespace: string; name: string },
): LeaseObject {
  const reader = leaseReader();
  return {
    read: async () => {
      try {
        return toSeen(reader, await client.get(LEASES, ref));
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    write: async (seen, spec) => {
      const version = seen && { uid: seen.uid, resourceVersion: seen.resourceVersion };
      const object = { metadata: { ...ref, ...version }, spec: { ...spec, renewTime: microTime(clock) } };
      const written =
        seen === undefined
          ? await client.create(LEASES, object, ref.namespace)
          : await client.replace(LEASES, ref, object);
      return toSeen(reader, written);
    },
  };
}

/** RFC 3339 with six digits: MicroTime refuses any other number of them. */
export function microTime(clock: Clock): string {
  return new Date(clock.now()).toISOString().replace('Z', '000Z');
}

function leaseReader(): Reader<Seen> {
  const spec = objectOf(
    {
      holderIdentity: optional(TEXT),
      leaseDurationSeconds: optional(INTEGER),
      acquireTime: optional(TEXT),
      leaseTransitions: optional(INTEGER),
    },
    [],
  );
  return makeReader<{ metadata: Metadata; spec?: LeaseSpec | null }, Seen>(
    objectOf({ metadata: METADATA, spec: optional(spec) }, ['metadata']),
    ({ metadata: { uid, resourceVersion }, spec: found }) => ({ uid, resourceVersion, spec: found ?? {} }),
  );
}

function toSeen(reader: Reader<Seen>, object: unknown): Seen {
  const reading = reader(object);
  if (reading.kind === 'value') return reading.value;
  throw new ApiError({
    status: 0,
    reason: 'BadAnswer',
    message: `the answer is not a Lease (${reading.kind})`,
  });
}
