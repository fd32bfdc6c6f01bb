// The shared facts as values: what the manager writes into IPsecNetwork, IPsecHost and IPsecService, and every
// agent reads. How they travel in Kubernetes objects is kubernetes/'s business; what follows from them, plan-host.ts's.
import type { Address, Prefix } from './ip.ts';
import type { Port } from './ports.ts';

/** A Kubernetes Node's name. A name that cannot be part of a connection's name is a Problem, not an error. */
export type HostName = string & { readonly __brand: 'HostName' };

/** How far the protection of one protocol and port of a service has come; moved by the manager alone (stages.ts). */
export type Stage = 'prepare' | 'protect' | 'enforce' | 'release' | 'gone';

/** pending: only its own host loads it; active: all do; leaving: nobody does, until its own host has said so. */
export type EndpointState = 'pending' | 'active' | 'leaving';

export type GuardMode = 'enforce' | 'observe' | 'off';

/** What all hosts must agree on: IPsecNetwork `cluster`. While it is absent agents plan nothing. */
export interface NetworkFact {
  /** uid of the object: a new installation has a new one, and old flows are then removed. */
  readonly uid: string;
  /** Calico's IPPools, sorted. */
  readonly pools: readonly Prefix[];
  readonly parameters: IpsecParameters;
  readonly guardMode: GuardMode;
}

/** IKE and ESP parameters, the seed's by default. Times in seconds. */
export interface IpsecParameters {
  /** One proposal, e.g. `aes128-sha256-prfaesxcbc-modp3072`. */
  readonly ikeProposal: string;
  /** One proposal, e.g. `aes128gcm16`. */
  readonly espProposal: string;
  readonly ikeReauthSeconds: number;
  readonly ikeRekeySeconds: number;
  readonly childRekeySeconds: number;
  readonly dpdSeconds: number;
  /** Subject of the CA that must have issued the peer's certificate; unset: any CA of the platform. */
  readonly caId?: string;
}

/** IPsecHost: a host's cluster-host addresses and the prefixes its pods have (blocks, and borrowed addresses as /32, /128). Sorted. */
export interface HostFact {
  readonly name: HostName;
  readonly addresses: readonly Address[];
  readonly prefixes: readonly Prefix[];
}

/** Which version of which object a plan was made from. */
export interface ShardVersion {
  /** The object's name: `<namespace>.<service>.<n>`. */
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
}

/** What the manager wants an IPsecService to say: one shard, at most 100 endpoints, of a protected service. All lists sorted. */
export interface ShardSpec {
  readonly namespace: string;
  readonly service: string;
  /** 0, 1, ...; stages, cluster IPs and service ports stand in shard 0 only. */
  readonly index: number;
  readonly clusterIps: readonly Address[];
  /** The service's own ports that clients' hosts hold: all their targets are at protect or enforce (rows for cluster IPs in the guard). */
  readonly servicePorts: readonly Port[];
  /** The stage of each protected protocol and endpoint port. */
  readonly stages: readonly PortStage[];
  readonly endpoints: readonly EndpointFact[];
}

/** IPsecService as it stands in the API. */
export interface ShardFact extends ShardSpec {
  readonly version: ShardVersion;
}

/** The name of a shard's object. Neither namespace nor service name can hold a dot, so it is unique. */
export function shardName(shard: Pick<ShardSpec, 'namespace' | 'service' | 'index'>): string {
  return `${shard.namespace}.${shard.service}.${shard.index}`;
}

export interface PortStage extends Port {
  readonly stage: Stage;
}

export interface EndpointFact {
  readonly address: Address;
  readonly host: HostName;
  readonly ports: readonly Port[];
  readonly state: EndpointState;
}

/** Everything an agent needs to plan. Complete or not there at all (invariant 1). */
export interface Facts {
  readonly network: NetworkFact;
  readonly hosts: readonly HostFact[];
  readonly shards: readonly ShardFact[];
}

/** What one host says of itself: the status of its IPsecHostReport, written by that host's agent alone. */
export interface HostReport {
  readonly host: HostName;
  /** uid of the IPsecNetwork the plan was made from; empty while there is none. */
  readonly networkUid: string;
  /** Shard versions whose flows were read back from charon as they should be. Sorted by name. */
  readonly loaded: readonly ShardVersion[];
  readonly problems: readonly ReportedProblem[];
  /** Peers for which an IKE_SA was wanted and could not be had. Sorted. */
  readonly peersNotReached: readonly HostName[];
  readonly counters: ReportCounters;
  readonly guard: GuardReport;
  readonly charonVersion: string;
}

/**
 * What was read back from nftables, beside what is asked for.
 * ```
 * enforce, observe   our table stands, whole, with every row, in this mode
 * off                mode off, and no table of ours stands
 * none               nothing is protected here, and no table of ours stands
 * differs            tables of ours stand and are not, or not alone, what should
 * missing            there should be a table and is none
 * unknown            nftables could not be read or changed; a problem of the report says why
 * ```
 */
export type GuardStanding = GuardMode | 'none' | 'differs' | 'missing' | 'unknown';

/** The guard of one host. Nothing in it moves while nothing changes: what it drops is in the metrics. */
export interface GuardReport {
  /** As IPsecNetwork asks for it; what an agent assumes that has not seen it yet. */
  readonly mode: GuardMode;
  readonly state: GuardStanding;
  /** Endpoints and cluster IPs in our table, by address, protocol and port. */
  readonly rows: number;
  /** Those of them that hold; the others are only counted. */
  readonly holding: number;
  /** How often somebody else changed the guard and the agent put it back, since the agent was started. */
  readonly repairs: number;
  /** When it did last, RFC 3339; empty: never. What goes on without end is told once a minute. */
  readonly lastRepair: string;
}

/** Of a host without one. */
export const NO_GUARD: GuardReport = {
  mode: 'off',
  state: 'off',
  rows: 0,
  holding: 0,
  repairs: 0,
  lastRepair: '',
};

export interface ReportedProblem {
  readonly reason: string;
  readonly subject: string;
  readonly message: string;
}

export interface ReportCounters {
  readonly connections: number;
  readonly flows: number;
  readonly flowsInForce: number;
  readonly childSas: number;
}

export const DEFAULT_PARAMETERS: IpsecParameters = {
  ikeProposal: 'aes128-sha256-prfaesxcbc-modp3072',
  espProposal: 'aes128gcm16',
  ikeReauthSeconds: 14400,
  ikeRekeySeconds: 3600,
  childRekeySeconds: 3600,
  dpdSeconds: 10,
};
