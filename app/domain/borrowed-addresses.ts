// Pods here with an address out of another host's block: to an endpoint on this host they speak without IPsec, and the ingress
// child of the block's owner would drop that (measured). Which pass children keep them talking?
import type { HostFact } from './facts.ts';
import { compareFlows, flowEnd } from './flows.ts';
import type { PlannedChild } from './host-config.ts';
import { containsPrefix, hostPrefix, type Prefix } from './ip.ts';
import { priorityOf } from './priorities.ts';

/**
 * One pass child for each endpoint here and each prefix of this host inside the client prefix of one of its ingress children,
 * but for the endpoint's own address: what a pod says to itself does not reach its host. Sorted. A trap always: it is what
 * installs a pass policy.
 */
export function passChildren(
  ingress: readonly PlannedChild[],
  self: HostFact,
  others: readonly HostFact[],
): PlannedChild[] {
  const caught = caughtPrefixes(self, others);
  const children = new Map<string, PlannedChild>();
  for (const child of caught.size === 0 ? [] : ingress)
    for (const clientPrefix of caught.get(child.flow.clientPrefix) ?? []) {
      const { endpoint, protocol, port } = child.flow;
      if (clientPrefix === hostPrefix(endpoint)) continue;
      children.set(`${clientPrefix} ${endpoint} ${protocol}/${port}`, passChild(child, self, clientPrefix));
    }
  return [...children.values()].sort((a, b) => compareFlows(a.flow, b.flow));
}

/** This host's prefixes inside a prefix of another host, by that one. */
function caughtPrefixes(self: HostFact, others: readonly HostFact[]): Map<Prefix, Prefix[]> {
  const caught = new Map<Prefix, Prefix[]>();
  for (const outer of others.flatMap((host) => host.prefixes)) {
    const inner = self.prefixes.filter((prefix) => containsPrefix(outer, prefix));
    if (inner.length > 0) caught.set(outer, inner);
  }
  return caught;
}

function passChild(ingress: PlannedChild, self: HostFact, clientPrefix: Prefix): PlannedChild {
  const flow = { ...ingress.flow, client: self.name, clientPrefix };
  const { localTs, remoteTs } = flowEnd(flow, 'ingress');
  return {
    ...ingress,
    flow,
    mode: 'pass',
    localTs,
    remoteTs,
    priority: priorityOf(flow),
    startAction: 'trap',
  };
}
