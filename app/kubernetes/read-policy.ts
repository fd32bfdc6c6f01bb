// IPsecPolicy: what the user wrote, and the status that was last written to it.
import type { Policy } from '../domain/world.ts';
import type { StoredPolicyStatus } from './write-status.ts';
import { INTEGER, listOf, makeReader, METADATA, objectOf, optional, TEXT } from './schema.ts';
import type { Metadata, Reader } from './schema.ts';

/** A policy with its status as it stands in the API; the policy alone is what is worth a notification. */
export interface StoredPolicy {
  readonly policy: Policy;
  readonly status: StoredPolicyStatus | undefined;
}

interface Raw {
  readonly metadata: Metadata;
  readonly spec: {
    readonly policies: readonly {
      readonly name: string;
      readonly servicename: string;
      readonly servicens: string;
      readonly serviceports: string;
    }[];
  };
  readonly status?: StoredPolicyStatus | null;
}

export function policyReader(): Reader<StoredPolicy> {
  const row = objectOf({ name: TEXT, servicename: TEXT, servicens: TEXT, serviceports: TEXT }, [
    'name',
    'servicename',
    'servicens',
    'serviceports',
  ]);
  const spec = objectOf({ policies: listOf(row) }, ['policies']);
  const schema = objectOf({ metadata: METADATA, spec, status: STATUS }, ['metadata', 'spec']);
  return makeReader<Raw, StoredPolicy>(schema, ({ metadata, spec: { policies }, status }) => ({
    policy: {
      name: metadata.name,
      uid: metadata.uid,
      generation: metadata.generation ?? 0,
      createdAt: metadata.creationTimestamp ?? '',
      rows: policies.map((row) => ({
        name: row.name,
        serviceName: row.servicename,
        serviceNamespace: row.servicens,
        servicePorts: row.serviceports,
      })),
    },
    status: status ?? undefined,
  }));
}

/** Only what is read again: times of transition, and equality with what would be written. */
const STATUS = optional(
  objectOf(
    {
      observedGeneration: INTEGER,
      conditions: optional(
        listOf(
          objectOf({ type: TEXT, status: TEXT, lastTransitionTime: TEXT }, [
            'type',
            'status',
            'lastTransitionTime',
          ]),
        ),
      ),
    },
    [],
  ),
);
