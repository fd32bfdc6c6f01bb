// Service: its cluster IPs and ports.
import { compareAddresses, type Address } from '../domain/ip.ts';
import type { Service, ServicePort } from '../domain/world.ts';
import {
  INTEGER,
  listOf,
  makeReader,
  METADATA,
  objectOf,
  optional,
  TEXT,
  toAddress,
  toProtocol,
} from './schema.ts';
import type { Metadata, Reader } from './schema.ts';

interface Raw {
  readonly metadata: Metadata;
  readonly spec: {
    readonly type?: string | null;
    readonly clusterIP?: string | null;
    readonly clusterIPs?: readonly string[] | null;
    readonly ports?: readonly RawPort[] | null;
  };
}

interface RawPort {
  readonly name?: string | null;
  readonly protocol?: string | null;
  readonly port: number;
  readonly targetPort?: number | string | null;
}

export function serviceReader(): Reader<Service> {
  const targetPort = { type: ['integer', 'string'], nullable: true };
  const port = objectOf({ name: optional(TEXT), protocol: optional(TEXT), port: INTEGER, targetPort }, [
    'port',
  ]);
  const spec = objectOf(
    {
      type: optional(TEXT),
      clusterIP: optional(TEXT),
      clusterIPs: optional(listOf(TEXT)),
      ports: optional(listOf(port)),
    },
    [],
  );
  const schema = objectOf({ metadata: METADATA, spec }, ['metadata', 'spec']);
  return makeReader<Raw, Service>(schema, ({ metadata, spec: service }) => ({
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    externalName: service.type === 'ExternalName',
    clusterIps: clusterIps(service),
    ports: (service.ports ?? []).map(servicePort),
  }));
}

/** A target port of 0 or '' is what a headless service leaves unset. */
function servicePort({ name, protocol, port, targetPort }: RawPort): ServicePort {
  return {
    name: name ?? '',
    protocol: toProtocol(protocol),
    port,
    ...(targetPort === undefined || targetPort === null || targetPort === 0 || targetPort === ''
      ? {}
      : { targetPort }),
  };
}

/** "None" marks a headless service. */
function clusterIps(spec: Raw['spec']): Address[] {
  const texts = spec.clusterIPs ?? [spec.clusterIP ?? ''];
  return texts
    .filter((text) => text !== '' && text !== 'None')
    .map(toAddress)
    .sort(compareAddresses);
}
