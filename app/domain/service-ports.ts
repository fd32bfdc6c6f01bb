// What does one port of a policy row mean for a service? A port of its endpoints, else the service port of that number with
// whatever endpoint ports are behind it, else nothing. Which endpoints serve it: resolve-service.ts.
import type { Port, Protocol } from './ports.ts';
import { uniquePorts } from './ports.ts';
import type { EndpointSlice, Service, ServicePort } from './world.ts';

/** One port of a row, understood: `endpoint` ports by number, `service` ports by the name that slices know them by. */
export type WantedPort =
  | { readonly kind: 'endpoint'; readonly port: Port }
  | { readonly kind: 'service'; readonly port: ServicePort }
  | { readonly kind: 'unknown'; readonly protocol: Protocol }
  | { readonly kind: 'none' };

/** A service and its slices; the service is absent while nobody has made it. */
export interface ServiceWithSlices {
  readonly service?: Service;
  readonly slices: readonly EndpointSlice[];
}

/**
 * ```
 * tcp/N is                                              then it means
 * a number in some slice                                the endpoints' port N
 * a service port                                        the slice ports of that port's name, whatever their numbers
 * a numeric targetPort (no endpoints yet)               the endpoints' port N
 * of a service without endpoints and named targetPorts  unknown until the first endpoint tells
 * ```
 */
export function wantedPort(wanted: Port, { service, slices }: ServiceWithSlices): WantedPort {
  const same = (port: Port): boolean => port.protocol === wanted.protocol && port.port === wanted.port;
  if (slices.some((slice) => slice.ports.some(same))) return { kind: 'endpoint', port: wanted };
  const ofProtocol = service?.ports.filter((port) => port.protocol === wanted.protocol) ?? [];
  const own = ofProtocol.find(same);
  if (own !== undefined)
    return isUnreachable(own, slices) ? { kind: 'none' } : { kind: 'service', port: own };
  if (ofProtocol.some((port) => numericTarget(port)?.port === wanted.port))
    return { kind: 'endpoint', port: wanted };
  const mayTurnUp = !hasEndpoints(slices) && (service === undefined || ofProtocol.some(isNamedTarget));
  return mayTurnUp ? { kind: 'unknown', protocol: wanted.protocol } : { kind: 'none' };
}

/** The endpoint ports behind a service port, sorted: as the slices say, else its numeric targetPort; empty while only a name is known. */
export function targetsOf(port: ServicePort, slices: readonly EndpointSlice[]): readonly Port[] {
  const told = slices.flatMap((slice) => slice.ports.filter((candidate) => isSlicePortOf(candidate, port)));
  if (told.length > 0) return uniquePorts(told.map(({ protocol, port }) => ({ protocol, port })));
  const target = numericTarget(port);
  return target === undefined ? [] : [target];
}

/** Slices match a service's ports by name (Kubernetes, EndpointPort.name). */
export function isSlicePortOf(candidate: EndpointSlice['ports'][number], port: ServicePort): boolean {
  return candidate.name === port.name && candidate.protocol === port.protocol;
}

export function hasEndpoints(slices: readonly EndpointSlice[]): boolean {
  return slices.some((slice) => slice.endpoints.length > 0);
}

/** A named target that none of the endpoints there are declares. */
function isUnreachable(port: ServicePort, slices: readonly EndpointSlice[]): boolean {
  return hasEndpoints(slices) && targetsOf(port, slices).length === 0;
}

function isNamedTarget(port: ServicePort): boolean {
  return typeof port.targetPort === 'string';
}

function numericTarget(port: ServicePort): Port | undefined {
  const target = port.targetPort ?? port.port;
  return typeof target === 'number' ? { protocol: port.protocol, port: target } : undefined;
}
