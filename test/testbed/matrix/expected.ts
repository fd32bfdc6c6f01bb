// What must stand on each host of the lab when these endpoints are protected on these ports, by the plainest rules and without a
// line of the product: every host's first blocks talk to every endpoint on another host.
import { HOST_NAMES, HOSTS, POD_POOLS, type LabHost } from '../lab/topology.ts';

export interface Endpoint {
  readonly service: string;
  readonly host: LabHost;
  readonly address: string;
}

export interface Expected {
  readonly endpoints: readonly Endpoint[];
  /** By service, `udp/6001`: policies name them, and the service's ports are the endpoints' own. */
  readonly ports: Readonly<Record<string, readonly string[]>>;
}

/** Where names of protocols would need the host's /etc/protocols. */
const NUMBERS: Readonly<Record<string, string>> = { tcp: '6', udp: '17' };

type ByHost = Record<LabHost, readonly string[]>;

/** As policyTexts prints them: three directions for each end of a flow. */
export function expectedPolicies(expected: Expected): ByHost {
  return byHost((host) =>
    flowsOf(expected).flatMap(({ client, prefix, endpoint, protocol, port }) => {
      const request = `${prefix} ${hostPrefix(endpoint.address)} ${protocol} dport ${port}`;
      const reply = `${hostPrefix(endpoint.address)} ${prefix} ${protocol} sport ${port}`;
      if (host === client) return [`out ${request}`, `in ${reply}`, `fwd ${reply}`];
      return host === endpoint.host ? [`out ${reply}`, `in ${request}`, `fwd ${request}`] : [];
    }),
  );
}

/** `<local_ts> <remote_ts>` of every child, as the file has them, with numbers. */
export function expectedConnections(expected: Expected): ByHost {
  return byHost((host) =>
    flowsOf(expected).flatMap(({ client, prefix, endpoint, protocol, port }) => {
      const number = NUMBERS[protocol] ?? protocol;
      const [near, far] = [`${prefix}[${number}]`, `${hostPrefix(endpoint.address)}[${number}/${port}]`];
      if (host === client) return [`${near} ${far}`];
      return host === endpoint.host ? [`${far} ${near}`] : [];
    }),
  );
}

/** Sets of the guard, the same on every host; undefined where nothing is protected: then there is no guard. */
export function expectedGuard(
  expected: Expected,
  clusterIps: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, readonly string[]>> | undefined {
  const held = expected.endpoints.flatMap(({ service, address }) =>
    elements(address, expected.ports[service]),
  );
  const services = Object.entries(expected.ports).flatMap(([service, ports]) =>
    (clusterIps[service] ?? []).flatMap((address) => elements(address, ports)),
  );
  if (held.length + services.length === 0) return undefined;
  const kinds = { pools: POD_POOLS, endpoints: held, holding: held, cluster_ips: services };
  return Object.fromEntries(
    Object.entries(kinds).flatMap(([kind, all]) =>
      ([4, 6] as const).map((family) => [
        `${kind}${family}`,
        all.filter((text) => text.includes(':') === (family === 6)).sort(),
      ]),
    ),
  );
}

interface Flow {
  readonly client: LabHost;
  readonly prefix: string;
  readonly endpoint: Endpoint;
  readonly protocol: string;
  readonly port: string;
}

function flowsOf({ endpoints, ports }: Expected): Flow[] {
  return endpoints.flatMap((endpoint) =>
    (ports[endpoint.service] ?? []).flatMap((text) => {
      const [protocol = '', port = ''] = text.split('/');
      return HOST_NAMES.filter((client) => client !== endpoint.host).map((client) => {
        const [four, six] = HOSTS[client].blocks;
        return { client, prefix: endpoint.address.includes(':') ? six : four, endpoint, protocol, port };
      });
    }),
  );
}

function elements(address: string, ports: readonly string[] = []): string[] {
  return ports.map((text) => {
    const [protocol, port = ''] = text.split('/');
    return `${address} . ${NUMBERS[protocol ?? ''] ?? ''} . ${port}`;
  });
}

function hostPrefix(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}

function byHost(make: (host: LabHost) => readonly string[]): ByHost {
  return Object.fromEntries(HOST_NAMES.map((host) => [host, [...make(host)].sort()])) as unknown as ByHost;
}
