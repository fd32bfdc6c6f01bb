// What should be protected, given what the cluster looks like now? Hosts, services with endpoint ports, and what is wrong with
// each policy row. Before stages: how protection gets there, and when it may go, is roll-out.ts's.
import { addressOwners, hostFacts } from './address-owner.ts';
import type { HostFact, HostName } from './facts.ts';
import { flowBounds } from './flow-bounds.ts';
import { comparePrefixes, type Prefix } from './ip.ts';
import { compareText, type Problem } from './problem.ts';
import { refuse, resolveRow, type ResolvedRow, type ServiceView } from './resolve-row.ts';
import { resolveService } from './resolve-service.ts';
import { locateEndpoints, type Whereabouts } from './service-endpoints.ts';
import type { Policy, PolicyRow, ResolvedService, World } from './world.ts';

/** What the facts should say, before stages. */
export interface Resolved {
  /** What each IPsecHost should say, sorted by name. */
  readonly hosts: readonly HostFact[];
  /** Those of `hosts` whose Node is Ready: the hosts that answers are expected from. */
  readonly readyHosts: ReadonlySet<HostName>;
  /** Sorted, each once. */
  readonly pools: readonly Prefix[];
  /** Sorted by namespace, then name. */
  readonly services: readonly ResolvedService[];
  /** In the order in which they count: by the policy's creation, its name, the row's position. */
  readonly rows: readonly ResolvedRow[];
  /** Of hosts; those of rows stand with the rows. */
  readonly problems: readonly Problem[];
}

/** Same world in any order, same result. */
export function resolve(world: World): Resolved {
  const { hosts, problems } = hostFacts(world);
  const agents = new Set(hosts.map(({ name }) => name));
  const ready = world.nodes.filter((node) => node.ready && agents.has(node.name));
  const viewOf = serviceViews(world, agents);
  const rows = withinBounds(rowsByAge(world.policies, viewOf), hosts);
  return {
    hosts,
    readyHosts: new Set(ready.map(({ name }) => name)),
    pools: [...new Set(world.pools)].sort(comparePrefixes),
    services: services(rows, viewOf),
    rows,
    problems,
  };
}

/** `namespace/name`: neither can hold a slash. */
export function serviceKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

type ViewOf = (namespace: string, name: string) => ServiceView;

/** Each service that is asked for is located once. */
function serviceViews(world: World, agents: ReadonlySet<HostName>): ViewOf {
  const services = new Map(
    world.services.map((service) => [serviceKey(service.namespace, service.name), service]),
  );
  const slices = Map.groupBy(world.slices, (slice) => serviceKey(slice.namespace, slice.service));
  const whereabouts: Whereabouts = {
    ownerOf: addressOwners(world),
    nodeAddresses: new Set(world.nodes.flatMap((node) => node.addresses)),
    agents,
  };
  const views = new Map<string, ServiceView>();
  return (namespace, name) => {
    const key = serviceKey(namespace, name);
    const known = views.get(key);
    if (known !== undefined) return known;
    const service = services.get(key);
    const own = service === undefined ? [] : (slices.get(key) ?? []);
    const endpoints = locateEndpoints(key, own, whereabouts);
    const view = { key, slices: own, endpoints, ...(service === undefined ? {} : { service }) };
    views.set(key, view);
    return view;
  };
}

function rowsByAge(policies: readonly Policy[], viewOf: ViewOf): ResolvedRow[] {
  const resolveOne = (policy: Policy, row: PolicyRow): ResolvedRow =>
    resolveRow(policy.name, row, viewOf(row.serviceNamespace, row.serviceName));
  return [...policies]
    .sort((a, b) => compareText(a.createdAt, b.createdAt) || compareText(a.name, b.name))
    .flatMap((policy) => policy.rows.map((row) => resolveOne(policy, row)));
}

function withinBounds(rows: readonly ResolvedRow[], hosts: Resolved['hosts']): ResolvedRow[] {
  const admit = flowBounds(hosts);
  return rows.map((row) => {
    const exceeded = row.accepted ? admit(row.endpoints) : undefined;
    return exceeded === undefined ? row : refuse(row, exceeded);
  });
}

function services(rows: readonly ResolvedRow[], viewOf: ViewOf): ResolvedService[] {
  return [...Map.groupBy(rows, (row) => row.service).values()]
    .flatMap((ofService) => {
      const [first] = ofService;
      const view = first && viewOf(first.row.serviceNamespace, first.row.serviceName);
      return (view && resolveService(view, ofService)) ?? [];
    })
    .sort((a, b) => compareText(a.namespace, b.namespace) || compareText(a.service, b.service));
}
