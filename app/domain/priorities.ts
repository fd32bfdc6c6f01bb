// Which policy of the kernel wins where several match a packet: a number out of the flow alone, so that both ends choose
// the same SA without talking. Never a rank in a list: a rank changes when a neighbour comes or goes.
import type { Flow } from './flows.ts';
import { addressBits, compareAddresses, networkAddress, prefixLength } from './ip.ts';

const MOST_SPECIFIC = 100_000;

/**
 * Smaller wins. charon gives the platform's `pass` policies 199679 and automatic traps 369984 (strongSwan 5.9.8, measured);
 * 100000 was measured to beat the former.
 * ```
 * client prefix     IPv4                IPv6
 * one address       /32   100000..1     /128  100000..1
 * Calico's block    /26   100012..3     /122  100012..3
 *                   /16   100032..3     /64   100128..9
 * everything        /0    100064..5     /0    100256..7
 * ```
 * The lower of each pair when the endpoint's address is smaller than the client prefix. Two flows are each other's mirror when
 * each one's endpoint is in the other's client prefix. If those are equally long they are disjoint (no two hosts have one prefix),
 * so exactly one flow has its endpoint below its client prefix: never a tie. A pass child's prefix lies inside the client prefix
 * of the ingress child that it goes before, so it is the more specific one.
 */
export function priorityOf(flow: Pick<Flow, 'clientPrefix' | 'endpoint'>): number {
  const hostBits = addressBits(flow.clientPrefix) - prefixLength(flow.clientPrefix);
  const isEndpointFirst = compareAddresses(flow.endpoint, networkAddress(flow.clientPrefix)) < 0;
  return MOST_SPECIFIC + 2 * hostBits + (isEndpointFirst ? 0 : 1);
}
