// IPsecNetwork, IPsecHost and IPsecService as the facts that every agent plans from. Only parsed and re-formatted
// addresses, numbers and checked names come out (invariant 10).
import type {
  EndpointState,
  HostFact,
  IpsecParameters,
  NetworkFact,
  ShardFact,
  Stage,
} from '../domain/facts.ts';
import { shardName } from '../domain/facts.ts';
import type { GuardMode } from '../domain/facts.ts';
import { NETWORK_NAME } from './fact-objects.ts';
import {
  INTEGER,
  listOf,
  makeReader,
  METADATA,
  objectOf,
  TEXT,
  toAddress,
  toHostName,
  toPort,
  toPrefix,
  unreadable,
} from './schema.ts';
import type { Metadata, Reader } from './schema.ts';

interface RawNetwork {
  readonly metadata: Metadata;
  readonly spec: {
    readonly pools: readonly string[];
    readonly guardMode: GuardMode;
    readonly parameters: IpsecParameters;
  };
}

/** An IPsecNetwork of another name than `cluster` is ignored. */
export function networkReader(): Reader<NetworkFact> {
  const schema = objectOf({ metadata: METADATA, spec: networkSpecSchema() }, ['metadata', 'spec']);
  return makeReader<RawNetwork, NetworkFact>(schema, ({ metadata, spec }) => {
    if (metadata.name !== NETWORK_NAME) return undefined;
    const { caId, ...parameters } = spec.parameters;
    return {
      uid: metadata.uid,
      pools: spec.pools.map(toPrefix),
      parameters: caId === undefined ? parameters : { ...parameters, caId },
      guardMode: spec.guardMode,
    };
  });
}

function networkSpecSchema(): ReturnType<typeof objectOf> {
  const proposal = { type: 'string', pattern: '^[a-z0-9]+(-[a-z0-9]+)*$' };
  const seconds = { type: 'integer', minimum: 0 };
  const needed = {
    ikeProposal: proposal,
    espProposal: proposal,
    ikeReauthSeconds: seconds,
    ikeRekeySeconds: seconds,
    childRekeySeconds: seconds,
    dpdSeconds: seconds,
  };
  // A distinguished name: printable, nothing that could end a value in charon's file.
  const caId = { type: 'string', pattern: '^[A-Za-z0-9 =,.@/_:*+-]{1,256}$' };
  const parameters = {
    ...objectOf({ ...needed, caId }, Object.keys(needed)),
    additionalProperties: false,
  };
  const guardMode = { enum: ['enforce', 'observe', 'off'] };
  return objectOf({ pools: listOf(TEXT), guardMode, parameters }, ['pools', 'guardMode', 'parameters']);
}

interface RawHost {
  readonly metadata: Metadata;
  readonly spec: { readonly addresses: readonly string[]; readonly prefixes: readonly string[] };
}

export function hostReader(): Reader<HostFact> {
  const spec = objectOf({ addresses: listOf(TEXT), prefixes: listOf(TEXT) }, ['addresses', 'prefixes']);
  const schema = objectOf({ metadata: METADATA, spec }, ['metadata', 'spec']);
  return makeReader<RawHost, HostFact>(schema, ({ metadata, spec: { addresses, prefixes } }) => ({
    name: toHostName(metadata.name),
    addresses: addresses.map(toAddress),
    prefixes: prefixes.map(toPrefix),
  }));
}

interface RawShard {
  readonly metadata: Metadata;
  readonly spec: {
    readonly namespace: string;
    readonly service: string;
    readonly index: number;
    readonly clusterIPs: readonly string[];
    readonly servicePorts: readonly string[];
    readonly stages: readonly { readonly port: string; readonly stage: Stage }[];
    readonly endpoints: readonly {
      readonly address: string;
      readonly host: string;
      readonly ports: readonly string[];
      readonly state: EndpointState;
    }[];
  };
}

/** Unreadable when the object's name is not that of its shard. */
export function shardReader(): Reader<ShardFact> {
  const schema = objectOf({ metadata: METADATA, spec: shardSpecSchema() }, ['metadata', 'spec']);
  return makeReader<RawShard, ShardFact>(schema, ({ metadata, spec }) => {
    const { namespace, service, index } = spec;
    if (metadata.name !== shardName(spec)) unreadable(`the shard's name should be ${shardName(spec)}`);
    return {
      version: { name: metadata.name, uid: metadata.uid, generation: metadata.generation ?? 0 },
      namespace,
      service,
      index,
      clusterIps: spec.clusterIPs.map(toAddress),
      servicePorts: spec.servicePorts.map(toPort),
      stages: spec.stages.map(({ port, stage }) => ({ ...toPort(port), stage })),
      endpoints: spec.endpoints.map((endpoint) => ({
        address: toAddress(endpoint.address),
        host: toHostName(endpoint.host),
        ports: endpoint.ports.map(toPort),
        state: endpoint.state,
      })),
    };
  });
}

function shardSpecSchema(): ReturnType<typeof objectOf> {
  const label = { type: 'string', pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' };
  const stage = { enum: ['prepare', 'protect', 'enforce', 'release', 'gone'] };
  const state = { enum: ['pending', 'active', 'leaving'] };
  const endpoint = { address: TEXT, host: TEXT, ports: listOf(TEXT), state };
  const properties = {
    namespace: label,
    service: label,
    index: INTEGER,
    clusterIPs: listOf(TEXT),
    servicePorts: listOf(TEXT),
    stages: listOf(objectOf({ port: TEXT, stage }, ['port', 'stage'])),
    endpoints: listOf(objectOf(endpoint, Object.keys(endpoint))),
  };
  return objectOf(properties, Object.keys(properties));
}
