// Where are the endpoints of a service? Each address once, with the host that has it and the ports that its slices give it;
// and what is wrong with the others. Ready or not, terminating or not: protection starts with the address and ends with it.
import type { OwnerOf } from './address-owner.ts';
import { endpointProblems, type EndpointFinding } from './endpoint-problems.ts';
import type { HostName } from './facts.ts';
import type { Address } from './ip.ts';
import { compareAddresses } from './ip.ts';
import type { Port } from './ports.ts';
import { uniquePorts } from './ports.ts';
import type { Problem } from './problem.ts';
import { isSlicePortOf, type WantedPort } from './service-ports.ts';
import type { EndpointSlice, ResolvedEndpoint } from './world.ts';

type SlicePort = EndpointSlice['ports'][number];

/** An endpoint address on its host, with everything that its slices say of its ports. */
export interface LocatedEndpoint {
  readonly address: Address;
  readonly host: HostName;
  readonly ports: readonly SlicePort[];
}

export interface ServiceEndpoints {
  /** Sorted by address. */
  readonly located: readonly LocatedEndpoint[];
  readonly withoutOwner: readonly Address[];
  /** One for each reason and host, however many endpoints it concerns. */
  readonly problems: readonly Problem[];
}

/** What must be known of the cluster to locate an endpoint. */
export interface Whereabouts {
  readonly ownerOf: OwnerOf;
  /** InternalIP of every Node: an endpoint with such an address is in a host's own network. */
  readonly nodeAddresses: ReadonlySet<Address>;
  /** Hosts that can have tunnels: those with an IPsecHost. */
  readonly agents: ReadonlySet<HostName>;
}

/** Locates the endpoints of one service; `subject` is its `namespace/name`. */
export function locateEndpoints(
  subject: string,
  slices: readonly EndpointSlice[],
  whereabouts: Whereabouts,
): ServiceEndpoints {
  const located: LocatedEndpoint[] = [];
  const withoutOwner: Address[] = [];
  const findings: EndpointFinding[] = [];
  for (const { address, nodeNames, ports } of mergeSlices(slices)) {
    const host = whereabouts.ownerOf(address);
    if (whereabouts.nodeAddresses.has(address)) findings.push({ reason: 'EndpointOnHostNetwork', address });
    else if (host === undefined) {
      withoutOwner.push(address);
      findings.push({ reason: 'EndpointWithoutOwner', address });
    } else {
      located.push({ address, host, ports });
      if (!whereabouts.agents.has(host)) findings.push({ reason: 'HostWithoutAgent', address, host });
      const others = [...nodeNames].filter((nodeName) => nodeName !== host);
      findings.push(...others.map((nodeName) => mismatch(address, host, nodeName)));
    }
  }
  return { located, withoutOwner, problems: endpointProblems(subject, findings) };
}

function mismatch(address: Address, host: HostName, nodeName: string): EndpointFinding {
  return { reason: 'EndpointHostMismatch', address, host, nodeName };
}

/** The endpoints that serve any of the wanted ports, with the numbers they serve them on. */
export function endpointsFor(
  located: readonly LocatedEndpoint[],
  wanted: readonly WantedPort[],
): ResolvedEndpoint[] {
  return located.flatMap(({ address, host, ports }) => {
    const served = uniquePorts(
      ports.filter((port) => wanted.some((want) => isServing(port, want))).map(numberOf),
    );
    return served.length === 0 ? [] : [{ address, host, ports: served }];
  });
}

function isServing(port: SlicePort, wanted: WantedPort): boolean {
  if (wanted.kind === 'endpoint')
    return port.protocol === wanted.port.protocol && port.port === wanted.port.port;
  return wanted.kind === 'service' && isSlicePortOf(port, wanted.port);
}

function numberOf({ protocol, port }: SlicePort): Port {
  return { protocol, port };
}

interface MergedEndpoint {
  readonly address: Address;
  readonly nodeNames: ReadonlySet<string>;
  readonly ports: readonly SlicePort[];
}

/** An address may stand in several slices (while the controller moves it, or with other ports): the union counts. */
function mergeSlices(slices: readonly EndpointSlice[]): MergedEndpoint[] {
  const merged = new Map<Address, { nodeNames: Set<string>; ports: SlicePort[] }>();
  for (const slice of slices)
    for (const { address, nodeName } of slice.endpoints) {
      const entry = merged.get(address) ?? { nodeNames: new Set<string>(), ports: [] };
      if (nodeName !== undefined) entry.nodeNames.add(nodeName);
      entry.ports.push(...slice.ports);
      merged.set(address, entry);
    }
  return [...merged]
    .map(([address, entry]) => ({ address, ...entry }))
    .sort((a, b) => compareAddresses(a.address, b.address));
}
