// What the manager sees in the cluster, as plain values: made by kubernetes/ out of objects, read by resolve.ts.
import type { HostName, HostReport, ShardFact } from './facts.ts';
import type { Address, Prefix } from './ip.ts';
import type { Port, Protocol } from './ports.ts';

export interface PolicyRow {
  readonly name: string;
  readonly serviceName: string;
  readonly serviceNamespace: string;
  /** As written: `udp/53,tcp/53`. */
  readonly servicePorts: string;
}

export interface Policy {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** RFC 3339: the order in which policies count when bounds are exceeded. */
  readonly createdAt: string;
  readonly rows: readonly PolicyRow[];
}

export interface ServicePort {
  /** Empty when the only port has no name. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** Number or name of the endpoints' port; absent: the same number as `port`. */
  readonly targetPort?: number | string;
}

export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly externalName: boolean;
  /** Empty for a headless service. */
  readonly clusterIps: readonly Address[];
  readonly ports: readonly ServicePort[];
}

/** One EndpointSlice. Its ports belong to all its endpoints, matched to the service's ports by name. */
export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[];
  readonly endpoints: readonly { readonly address: Address; readonly nodeName?: string }[];
}

export interface Node {
  readonly name: HostName;
  readonly uid: string;
  /** InternalIP addresses: the cluster-host network. */
  readonly addresses: readonly Address[];
  /** Carries the label `ipsec-policy-agent-operator=enabled`. */
  readonly agent: boolean;
  readonly ready: boolean;
}

/** Calico IPAMBlock: its affinity decides who owns it; addresses used by another host are borrowed. */
export interface IpamBlock {
  readonly prefix: Prefix;
  readonly host?: HostName;
  readonly borrowed: readonly { readonly address: Address; readonly host: HostName }[];
}

/** Calico BlockAffinity: only a hint, used for a block that has no IPAMBlock yet. */
export interface BlockAffinity {
  readonly prefix: Prefix;
  readonly host: HostName;
}

export interface World {
  readonly policies: readonly Policy[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly blocks: readonly IpamBlock[];
  readonly affinities: readonly BlockAffinity[];
  readonly pools: readonly Prefix[];
}

/** What was written before and what hosts have answered: the input of the roll-out beside the world. */
export interface RollOutState {
  readonly shards: readonly ShardFact[];
  readonly reports: readonly HostReport[];
  /** Hosts that were waited for longer than the bound; they hold nothing any more. */
  readonly overdue: ReadonlySet<HostName>;
  /** True when there has been no host to wait for, longer than the bound. */
  readonly noAgentsOverdue: boolean;
}

/** A service as it should be protected now, before stages: what resolve.ts gives for each protected service. */
export interface ResolvedService {
  readonly namespace: string;
  readonly service: string;
  readonly clusterIps: readonly Address[];
  readonly servicePorts: readonly ServicePortTargets[];
  /** Protected protocols and endpoint ports, union over all policies. */
  readonly ports: readonly Port[];
  readonly endpoints: readonly ResolvedEndpoint[];
  /** Protocols with wanted ports whose endpoint ports cannot be known now (no Service, or a named port without endpoints): nothing of them may be released. */
  readonly unknownTargets: readonly Protocol[];
  /** Endpoints whose host cannot be told now: what stands in the facts for them stays as it is. */
  readonly withoutOwner: readonly Address[];
}

/** A protected port of the service itself and the endpoint ports behind it; none while they are not known. */
export interface ServicePortTargets extends Port {
  readonly targets: readonly Port[];
}

export interface ResolvedEndpoint {
  readonly address: Address;
  readonly host: HostName;
  readonly ports: readonly Port[];
}
