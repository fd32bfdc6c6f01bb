// Every pair of hosts of a service, judged: which flows there should be is planned from the facts as each host plans them, what
// there is comes from two looks at each host. Pure.
import type { Facts, HostName } from '../domain/facts.ts';
import { judgeFlow, worstJudgement, type ChildState, type FlowJudgement } from '../domain/flow-verdict.ts';
import type { PlannedChild } from '../domain/host-config.ts';
import { compareAddresses, type Address } from '../domain/ip.ts';
import { planHost } from '../domain/plan-host.ts';
import { comparePorts, formatPort, type Port } from '../domain/ports.ts';
import { compareText } from '../domain/problem.ts';
import type { ChildSa } from '../swanctl/loaded.ts';
import type { HostTruth, Unread } from './host-truth.ts';

/** Two looks at one host, some seconds apart. */
export interface TwoLooks {
  readonly first: HostTruth;
  readonly second: HostTruth;
}

export interface JudgeOptions {
  readonly facts: Facts;
  /** `namespace/name`. */
  readonly service: string;
  readonly looks: ReadonlyMap<HostName, TwoLooks>;
  readonly seconds: number;
  /** The host of the pod that probed every endpoint between the looks. */
  readonly probedFrom: HostName | undefined;
}

/** One client host, one endpoint on another, one port. */
export interface JudgedPair extends FlowJudgement {
  readonly client: HostName;
  readonly host: HostName;
  readonly endpoint: Address;
  readonly port: string;
  readonly clientChild: string;
  readonly endpointChild: string;
  readonly guard: 'both' | 'client' | 'endpoint' | 'none' | 'unknown';
  /** Packets in the tunnel between the looks, to the endpoint and back. */
  readonly there: number;
  readonly back: number;
}

/** By client, endpoint, port. Pairs of one host are no pairs: what does not leave a host needs no tunnel. */
export function judgeService(options: JudgeOptions): JudgedPair[] {
  const pairs = Map.groupBy(plannedEnds(options), ({ child }) => pairKey(child));
  return [...pairs.values()]
    .map((ends) => judgePair(ends, options))
    .sort(
      (a, b) =>
        compareText(a.client, b.client) ||
        compareAddresses(a.endpoint, b.endpoint) ||
        compareText(a.port, b.port),
    );
}

interface PlannedEnd {
  readonly connection: string;
  readonly child: PlannedChild;
}

/** Both ends of each flow; a peer's end of an endpoint that is pending is not planned, and so not there. */
function plannedEnds({ facts, service }: JudgeOptions): PlannedEnd[] {
  const shards = new Set(
    facts.shards
      .filter((shard) => `${shard.namespace}/${shard.service}` === service)
      .map(({ version }) => version.name),
  );
  return facts.hosts.flatMap(({ name }) =>
    planHost(facts, name).connections.flatMap((connection) =>
      connection.children
        .filter((child) => child.mode === 'tunnel' && child.shards.some((shard) => shards.has(shard)))
        .map((child) => ({ connection: connection.name, child })),
    ),
  );
}

function pairKey({ flow }: PlannedChild): string {
  return `${flow.client} ${flow.endpoint} ${formatPort(flow)}`;
}

function judgePair(ends: readonly PlannedEnd[], options: JudgeOptions): JudgedPair {
  const [any] = ends;
  if (any === undefined) throw new Error('a pair without an end');
  const { client, host, endpoint, protocol, port } = any.child.flow;
  const at = { address: endpoint, protocol, port };
  const looksOf = (name: HostName): TwoLooks => {
    const looks = options.looks.get(name);
    if (looks === undefined) throw new Error(`nobody looked at ${name}`);
    return looks;
  };
  const [here, there] = [looksOf(client), looksOf(host)];
  const clientEnd = endOf(
    ends.filter(({ child }) => child.direction === 'egress'),
    here,
  );
  const endpointEnd = endOf(
    ends.filter(({ child }) => child.direction === 'ingress'),
    there,
  );
  const [clientHolds, endpointHolds] = [here.second.holds(at), there.second.holds(at)];
  const moved = packetsMoved(clientEnd, endpointEnd);
  const judgement = judgeFlow({
    client: { host: client, child: clientEnd.child, holds: clientHolds },
    endpoint: { host, child: endpointEnd.child, holds: endpointHolds },
    traffic: {
      seconds: options.seconds,
      ...moved,
      seen: grown(here, at),
      isProbed: options.probedFrom === client,
    },
  });
  return {
    ...worstJudgement([judgement]),
    client,
    host,
    endpoint,
    port: formatPort({ protocol, port }),
    clientChild: childText(clientEnd.child),
    endpointChild: childText(endpointEnd.child),
    guard: guardText(clientHolds, endpointHolds),
    ...moved,
  };
}

interface End {
  readonly child: ChildState | Unread;
  /** With how much each SA carried between the looks. */
  readonly sas: readonly (ChildSa & { readonly inDelta: number; readonly outDelta: number })[];
}

const STATES: readonly ChildState[] = ['absent', 'other-selectors', 'loaded', 'trap', 'sa'];

/** Several client prefixes are several flows: the worst of them counts. */
function endOf(ends: readonly PlannedEnd[], { first, second }: TwoLooks): End {
  const states: (ChildState | Unread)[] = [];
  const sas: End['sas'][number][] = [];
  for (const { connection, child } of ends) {
    const [before, after] = [first.childOf(connection, child), second.childOf(connection, child)];
    states.push('unread' in after ? after : after.state);
    const known = new Map('unread' in before ? [] : before.sas.map((sa) => [sa.uniqueId, sa]));
    if (!('unread' in after))
      sas.push(
        ...after.sas.map((sa) => ({
          ...sa,
          inDelta: sa.packetsIn - (known.get(sa.uniqueId)?.packetsIn ?? 0),
          outDelta: sa.packetsOut - (known.get(sa.uniqueId)?.packetsOut ?? 0),
        })),
      );
  }
  const unread = states.find((state) => typeof state === 'object');
  const distinct = [...new Map(sas.map((sa) => [sa.uniqueId, sa])).values()];
  return { child: unread ?? STATES.find((state) => states.includes(state)) ?? 'absent', sas: distinct };
}

/** Only what both hosts counted in one and the same SA: its SPIs are each other's. */
function packetsMoved(client: End, endpoint: End): { readonly there: number; readonly back: number } {
  const pairs = client.sas.flatMap((sa) =>
    endpoint.sas
      .filter((other) => sa.spiOut !== undefined && other.spiIn === sa.spiOut && other.spiOut === sa.spiIn)
      .map((other) => [sa, other] as const),
  );
  const sum = (values: readonly number[]): number =>
    values.reduce((total, value) => total + Math.max(0, value), 0);
  return {
    there: sum(pairs.map(([sa, other]) => Math.min(sa.outDelta, other.inDelta))),
    back: sum(pairs.map(([sa, other]) => Math.min(sa.inDelta, other.outDelta))),
  };
}

function grown({ first, second }: TwoLooks, at: Port & { readonly address: Address }): number | undefined {
  const [before, after] = [first.demand(at), second.demand(at)];
  return before === undefined || after === undefined ? undefined : Math.max(0, after - before);
}

function childText(child: ChildState | Unread): string {
  return typeof child === 'string' ? child : 'not read';
}

function guardText(client: boolean | undefined, endpoint: boolean | undefined): JudgedPair['guard'] {
  if (client === undefined || endpoint === undefined) return 'unknown';
  if (client && endpoint) return 'both';
  return client ? 'client' : endpoint ? 'endpoint' : 'none';
}

/** Ports in the facts' order, for a probe: address and port of each endpoint. */
export function endpointsOf({ facts, service }: Pick<JudgeOptions, 'facts' | 'service'>): (Port & {
  readonly address: Address;
  readonly host: HostName;
})[] {
  return facts.shards
    .filter((shard) => `${shard.namespace}/${shard.service}` === service)
    .flatMap(({ endpoints }) => endpoints)
    .flatMap(({ address, host, ports }) =>
      ports.toSorted(comparePorts).map((port) => ({ ...port, address, host })),
    );
}
