// EndpointSlice: the addresses behind a service, whether ready, not ready or terminating: an endpoint is protected from
// the moment it has an address until it is gone.
import { compareAddresses } from '../domain/ip.ts';
import type { EndpointSlice } from '../domain/world.ts';
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

interface RawPort {
  readonly name?: string | null;
  readonly protocol?: string | null;
  readonly port?: number | null;
}

interface Raw {
  readonly metadata: Metadata;
  readonly addressType: string;
  readonly ports?: readonly RawPort[] | null;
  readonly endpoints?:
    readonly { readonly addresses: readonly string[]; readonly nodeName?: string | null }[] | null;
}

/** kubernetes.io/service-name: which service a slice belongs to. */
const SERVICE_LABEL = 'kubernetes.io/service-name';

/** A slice that belongs to no service, or that holds domain names, is ignored. */
export function endpointSliceReader(): Reader<EndpointSlice> {
  const port = objectOf({ name: optional(TEXT), protocol: optional(TEXT), port: optional(INTEGER) }, []);
  const endpoint = objectOf({ addresses: listOf(TEXT), nodeName: optional(TEXT) }, ['addresses']);
  const schema = objectOf(
    {
      metadata: METADATA,
      addressType: TEXT,
      ports: optional(listOf(port)),
      endpoints: optional(listOf(endpoint)),
    },
    ['metadata', 'addressType'],
  );
  return makeReader<Raw, EndpointSlice>(schema, (raw) => {
    const service = raw.metadata.labels?.[SERVICE_LABEL];
    if (service === undefined || raw.addressType === 'FQDN') return undefined;
    return {
      namespace: raw.metadata.namespace ?? '',
      name: raw.metadata.name,
      service,
      ports: (raw.ports ?? []).flatMap(slicePort),
      endpoints: sliceEndpoints(raw),
    };
  });
}

/** A port without a number means "all ports" and cannot be protected by a number. */
function slicePort({ name, protocol, port }: RawPort): EndpointSlice['ports'] {
  if (port === undefined || port === null) return [];
  return [{ name: name ?? '', protocol: toProtocol(protocol), port }];
}

function sliceEndpoints(raw: Raw): EndpointSlice['endpoints'] {
  return (raw.endpoints ?? [])
    .flatMap(({ addresses, nodeName }) =>
      addresses.map((address) => ({
        address: toAddress(address),
        ...(nodeName === undefined || nodeName === null ? {} : { nodeName }),
      })),
    )
    .sort((a, b) => compareAddresses(a.address, b.address));
}
