// What does one policy row ask for, and what is wrong with it? Its ports understood and its endpoints found, whatever other
// rows ask. Bounds and the union over rows are resolve.ts's and resolve-service.ts's.
import { shorten } from './endpoint-problems.ts';
import type { ExceededBound } from './flow-bounds.ts';
import { formatPort, parseServicePorts, uniquePorts, type Port } from './ports.ts';
import { compareProblems, type Problem, type ProblemReason } from './problem.ts';
import { endpointsFor, type ServiceEndpoints } from './service-endpoints.ts';
import { targetsOf, wantedPort, type ServiceWithSlices, type WantedPort } from './service-ports.ts';
import type { PolicyRow, ResolvedEndpoint } from './world.ts';

/** A service as all rows about it see it. Without the Service its slices do not count: they are what a deletion left. */
export interface ServiceView extends ServiceWithSlices {
  /** `namespace/name`. */
  readonly key: string;
  readonly endpoints: ServiceEndpoints;
}

/** One row of a policy, understood. */
export interface ResolvedRow {
  readonly policy: string;
  readonly row: PolicyRow;
  /** `namespace/name` of the service. */
  readonly service: string;
  /** False: the row is refused and nothing is protected for its sake (InvalidPorts, TooManyFlows). */
  readonly accepted: boolean;
  readonly wanted: readonly WantedPort[];
  /** Endpoint ports, sorted; empty while they are not known. */
  readonly ports: readonly Port[];
  /** Sorted by address; those with none of the ports are not there. */
  readonly endpoints: readonly ResolvedEndpoint[];
  readonly problems: readonly Problem[];
}

/** Everything about a row but the bounds. */
export function resolveRow(policy: string, row: PolicyRow, view: ServiceView): ResolvedRow {
  const nothing = { policy, row, service: view.key, accepted: true, wanted: [], ports: [], endpoints: [] };
  const parsed = parseServicePorts(row.servicePorts);
  if ('error' in parsed)
    return {
      ...nothing,
      accepted: false,
      problems: [problem('InvalidPorts', view, `Row "${row.name}": ${parsed.error}.`)],
    };
  if (view.service?.externalName === true) return { ...nothing, problems: [externalName(view)] };
  const pairs = parsed.ports.map((port): [Port, WantedPort] => [port, wantedPort(port, view)]);
  const wanted = pairs.map(([, want]) => want);
  const missing = pairs.filter(([, want]) => want.kind === 'none').map(([port]) => port);
  return {
    ...nothing,
    wanted,
    ports: uniquePorts(wanted.flatMap((want) => endpointPorts(want, view))),
    endpoints: endpointsFor(view.endpoints.located, wanted),
    problems: [...absence(view), ...portsNotFound(missing, view), ...view.endpoints.problems].sort(
      compareProblems,
    ),
  };
}

/** The same row, refused because of a bound. */
export function refuse(row: ResolvedRow, bound: ExceededBound): ResolvedRow {
  const where =
    bound.peer === undefined ? `host ${bound.host}` : `the tunnels between ${bound.host} and ${bound.peer}`;
  const message = `Row "${row.row.name}" is not accepted: with it ${where} would carry ${bound.children} flows, and ${bound.limit} is the most. Protect fewer services or ports, or delete an older policy.`;
  return {
    ...row,
    accepted: false,
    problems: [...row.problems, { reason: 'TooManyFlows', subject: row.service, message }],
  };
}

/** The numbers behind a wanted port, as far as they are known. */
export function endpointPorts(want: WantedPort, view: ServiceWithSlices): readonly Port[] {
  if (want.kind === 'endpoint') return [want.port];
  return want.kind === 'service' ? targetsOf(want.port, view.slices) : [];
}

function absence(view: ServiceView): Problem[] {
  const message = `Service ${view.key} does not exist. It is protected as soon as it does; check the name if it should.`;
  return view.service === undefined ? [problem('ServiceNotFound', view, message)] : [];
}

function externalName(view: ServiceView): Problem {
  const message = `Service ${view.key} is of type ExternalName: it has no pods to protect. Name the service that has.`;
  return problem('ExternalNameService', view, message);
}

function portsNotFound(ports: readonly Port[], view: ServiceView): Problem[] {
  if (ports.length === 0) return [];
  const known = (view.service?.ports ?? []).map(formatPort);
  const hint = known.length === 0 ? 'it has no ports' : `it has ${shorten(known, 10)}`;
  const missing = shorten(ports.map(formatPort), 10);
  return [
    problem('PortNotFound', view, `Service ${view.key} has no port ${missing} that leads to a pod; ${hint}.`),
  ];
}

function problem(reason: ProblemReason, view: ServiceView, message: string): Problem {
  return { reason, subject: view.key, message };
}
