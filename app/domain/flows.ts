// What a flow is. Flows never change: they are added or removed (strongSwan keeps SAs of changed selectors alive,
// measured; so a child that never changes is the only safe unit). Deriving flows from facts: plan-host.ts.
import type { HostName } from './facts.ts';
import type { Address, Prefix } from './ip.ts';
import type { Port } from './ports.ts';

/** One client prefix of one host towards one endpoint address on another host, one protocol and port. */
export interface Flow extends Port {
  readonly client: HostName;
  readonly clientPrefix: Prefix;
  readonly host: HostName;
  readonly endpoint: Address;
}

/** egress: this host's pods are the clients; ingress: the endpoint is here. */
export type Direction = 'egress' | 'ingress';

/** The identity of a flow as text: no service in it, so two services on one address and port are one flow. */
export function flowKey(flow: Flow): string {
  return `${flow.client} ${flow.clientPrefix} ${flow.host} ${flow.endpoint} ${flow.protocol}/${flow.port}`;
}
