// What one host should have loaded, as plain data with three readers: the VICI tree, the conf file and the `plan`
// command. Made by plan-host.ts (without names) and names.ts (with names); parsed back from our file by swanctl/conf-parse.ts.
import type { GuardMode, HostName, IpsecParameters, ShardVersion } from './facts.ts';
import type { Direction, Flow, TrafficSelector } from './flows.ts';
import type { Address, Prefix } from './ip.ts';
import type { Port } from './ports.ts';
import type { Problem } from './problem.ts';

/** `[A-Za-z0-9_-]+`; only names.ts makes these. */
export type ConnectionName = string & { readonly __brand: 'ConnectionName' };
export type ChildName = string & { readonly __brand: 'ChildName' };

export type { TrafficSelector } from './flows.ts';

export type StartAction = 'none' | 'trap';

export interface Child {
  readonly name: ChildName;
  readonly mode: 'tunnel' | 'pass';
  readonly localTs: TrafficSelector;
  readonly remoteTs: TrafficSelector;
  readonly priority: number;
  readonly startAction: StartAction;
}

/** A connection to a peer, `k8s-node-<peer>` or `k8s-node-<peer>-ipv6`. Children sorted by name. */
export interface PeerConnection {
  readonly kind: 'peer';
  readonly name: ConnectionName;
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  /** `ipsec-<host>`: the common name of the certificate's subject at this end. */
  readonly localCommonName: string;
  readonly remoteCommonName: string;
  readonly parameters: IpsecParameters;
  /** When this connection was last loaded other than by adding or removing children; an IKE_SA older than that holds an old configuration. RFC 3339, or absent. */
  readonly loadedAt?: string;
  readonly children: readonly Child[];
}

/** `k8s-node-local`: pass children for pods here that borrow an address from another host's block. */
export interface LocalConnection {
  readonly kind: 'local';
  readonly name: ConnectionName;
  readonly children: readonly Child[];
}

export type Connection = PeerConnection | LocalConnection;

export type LenientGuardMode = Exclude<GuardMode, 'enforce'>;

/** All of one host, connections sorted by name; exactly what stands in our file. */
export interface HostConfig {
  readonly networkUid: string;
  /** Absent: enforce. In the file for an agent that starts while there is no API. */
  readonly guardMode?: LenientGuardMode;
  readonly connections: readonly Connection[];
}

/** A child before it has a name. */
export interface PlannedChild {
  readonly direction: Direction;
  readonly flow: Flow;
  readonly mode: 'tunnel' | 'pass';
  readonly localTs: TrafficSelector;
  readonly remoteTs: TrafficSelector;
  readonly priority: number;
  readonly startAction: StartAction;
  /** The service that names it: of several on one flow the first by namespace, then name. */
  readonly service: { readonly namespace: string; readonly name: string };
  /** Names of the shards that asked for it, sorted. */
  readonly shards: readonly string[];
}

export type PlannedConnection =
  | (Omit<PeerConnection, 'children' | 'loadedAt'> & {
      readonly peer: HostName;
      readonly children: readonly PlannedChild[];
    })
  | (Omit<LocalConnection, 'children'> & { readonly children: readonly PlannedChild[] });

/** Rows of the guard's sets (architecture: guard); `hold` drops what has no IPsec, else it only counts. Sorted, each once. */
export interface GuardRows {
  readonly endpoints: readonly GuardEndpoint[];
  readonly clusterIps: readonly GuardClusterIp[];
  readonly pools: readonly Prefix[];
}

export interface GuardEndpoint extends Port {
  readonly address: Address;
  /** True where this host holds requests of its own pods to that endpoint. */
  readonly holdEgress: boolean;
  /** True where the endpoint is here and what arrives or leaves without IPsec is held. */
  readonly holdIngress: boolean;
}

export interface GuardClusterIp extends Port {
  readonly address: Address;
}

/** One host's plan: depends on facts only, same facts in any order give the same bytes. */
export interface HostPlan {
  readonly host: HostName;
  readonly networkUid: string;
  /** Absent: enforce. */
  readonly guardMode?: LenientGuardMode;
  readonly connections: readonly PlannedConnection[];
  readonly guard: GuardRows;
  readonly problems: readonly Problem[];
  /** Every shard version the plan was made from, sorted by name. */
  readonly shards: readonly ShardVersion[];
}
