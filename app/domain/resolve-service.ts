// What do all rows about one service ask for together? The union of the accepted ones: ports, endpoints, and the service's own
// ports as the guard's rows for cluster IPs need them.
import { compareAddresses, type Address } from './ip.ts';
import { comparePorts, formatPort, PROTOCOLS, uniquePorts, type Port, type Protocol } from './ports.ts';
import { endpointPorts, type ResolvedRow, type ServiceView } from './resolve-row.ts';
import { targetsOf, type WantedPort } from './service-ports.ts';
import type { ResolvedEndpoint, ResolvedService, ServicePortTargets } from './world.ts';

/** Nothing at all when no row asks for a port that there is or may come. */
export function resolveService(view: ServiceView, rows: readonly ResolvedRow[]): ResolvedService | undefined {
  const [first] = rows;
  const accepted = rows.filter((row) => row.accepted);
  const wanted = accepted.flatMap((row) => row.wanted).filter((want) => want.kind !== 'none');
  if (first === undefined || wanted.length === 0) return undefined;
  const ports = uniquePorts(accepted.flatMap((row) => row.ports));
  return {
    namespace: first.row.serviceNamespace,
    service: first.row.serviceName,
    clusterIps: [...(view.service?.clusterIps ?? [])].sort(compareAddresses),
    servicePorts: servicePorts(view, wanted, ports),
    ports,
    endpoints: unionOfEndpoints(accepted.flatMap((row) => row.endpoints)),
    unknownTargets: unknownTargets(view, wanted),
    withoutOwner: view.endpoints.withoutOwner,
  };
}

/** A service port is protected when it was asked for, or when all that is behind it was. */
function servicePorts(
  view: ServiceView,
  wanted: readonly WantedPort[],
  ports: readonly Port[],
): ServicePortTargets[] {
  const protectedPorts = new Set(ports.map(formatPort));
  return (view.service?.ports ?? [])
    .map((port) => ({ port, targets: targetsOf(port, view.slices) }))
    .filter(
      ({ port, targets }) =>
        wanted.some((want) => want.kind === 'service' && want.port === port) ||
        (targets.length > 0 && targets.every((target) => protectedPorts.has(formatPort(target)))),
    )
    .map(({ port: { protocol, port }, targets }) => ({ protocol, port, targets }))
    .sort(comparePorts);
}

function unknownTargets(view: ServiceView, wanted: readonly WantedPort[]): Protocol[] {
  const unknown = wanted.filter((want) => endpointPorts(want, view).length === 0).map(protocolOf);
  return PROTOCOLS.filter((protocol) => unknown.includes(protocol));
}

function protocolOf(want: WantedPort): Protocol | undefined {
  if (want.kind === 'unknown') return want.protocol;
  return want.kind === 'none' ? undefined : want.port.protocol;
}

function unionOfEndpoints(endpoints: readonly ResolvedEndpoint[]): ResolvedEndpoint[] {
  const byAddress = new Map<Address, ResolvedEndpoint>();
  for (const endpoint of endpoints) {
    const known = byAddress.get(endpoint.address);
    const ports = uniquePorts([...(known?.ports ?? []), ...endpoint.ports]);
    byAddress.set(endpoint.address, { ...endpoint, ports });
  }
  return [...byAddress.values()].sort((a, b) => compareAddresses(a.address, b.address));
}
