// What a flow is, and how it looks from either end. Flows never change: they are added or removed (strongSwan keeps SAs of
// changed selectors alive, measured; so a child that never changes is the only safe unit). Deriving them from facts: plan-host.ts.
import type { HostName } from './facts.ts';
import { compareAddresses, comparePrefixes, hostPrefix, type Address, type Prefix } from './ip.ts';
import { comparePorts, type Port, type Protocol } from './ports.ts';
import { compareText } from './problem.ts';

/** One client prefix of one host towards one endpoint address on another host, one protocol and port. */
export interface Flow extends Port {
  readonly client: HostName;
  readonly clientPrefix: Prefix;
  readonly host: HostName;
  readonly endpoint: Address;
}

/** egress: this host's pods are the clients; ingress: the endpoint is here. */
export type Direction = 'egress' | 'ingress';

/** One traffic selector: a prefix, a protocol and, on the endpoint's side, a port. */
export interface TrafficSelector {
  readonly prefix: Prefix;
  readonly protocol: Protocol;
  readonly port?: number;
}

/** What a child of either end says of its flow. */
export interface FlowEnd {
  readonly direction: Direction;
  readonly localTs: TrafficSelector;
  readonly remoteTs: TrafficSelector;
}

/** The identity of a flow as text: no service in it, so two services on one address and port are one flow. */
export function flowKey(flow: Flow): string {
  return `${flow.client} ${flow.clientPrefix} ${flow.host} ${flow.endpoint} ${flow.protocol}/${flow.port}`;
}

/** By endpoint, port, client prefix; then by hosts: the one order of flows in lists. */
export function compareFlows(a: Flow, b: Flow): number {
  return (
    compareAddresses(a.endpoint, b.endpoint) ||
    comparePorts(a, b) ||
    comparePrefixes(a.clientPrefix, b.clientPrefix) ||
    compareText(a.client, b.client) ||
    compareText(a.host, b.host)
  );
}

/**
 * ```
 *            localTs             remoteTs
 * egress     client prefix       endpoint, port      on the client's host
 * ingress    endpoint, port      client prefix       on the endpoint's host
 * ```
 */
export function flowEnd(flow: Flow, direction: Direction): FlowEnd {
  const { protocol, port } = flow;
  const client: TrafficSelector = { prefix: flow.clientPrefix, protocol };
  const endpoint: TrafficSelector = { prefix: hostPrefix(flow.endpoint), protocol, port };
  return direction === 'egress'
    ? { direction, localTs: client, remoteTs: endpoint }
    : { direction, localTs: endpoint, remoteTs: client };
}

/** The same child as the other end must have it (invariant 3); all but direction and selectors stay. */
export function mirror<End extends FlowEnd>(end: End): End {
  return {
    ...end,
    direction: end.direction === 'egress' ? 'ingress' : 'egress',
    localTs: end.remoteTs,
    remoteTs: end.localTs,
  };
}
