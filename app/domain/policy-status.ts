// What does a policy's status say beside its conditions? One line for each row, and the figures of the printer columns.
import { conditionsOf, type PolicyCondition } from './conditions.ts';
import type { HostName, Stage } from './facts.ts';
import { unguardedHosts } from './guard-in-place.ts';
import { formatPort } from './ports.ts';
import type { StatusInput } from './programmed.ts';
import type { ResolvedRow } from './resolve-row.ts';
import type { Policy } from './world.ts';

/** The status of an IPsecPolicy, but for the times of its conditions. */
export interface PolicyStatus {
  readonly observedGeneration: number;
  /** Rows that are accepted; this and the next two are the printer columns. */
  readonly policies: number;
  /** Distinct endpoint addresses that the rows protect. */
  readonly endpoints: number;
  /** Hosts that have all services in force, and a guard, of all with an agent: `2/3`. */
  readonly hosts: string;
  readonly conditions: readonly PolicyCondition[];
  /** In the order of the policy's rows. */
  readonly rows: readonly RowStatus[];
}

export interface RowStatus {
  readonly name: string;
  /** `namespace/name`. */
  readonly service: string;
  /** That of the port that is furthest behind; absent while any port is not known to the hosts. */
  readonly stage?: Stage;
  /** Endpoint ports, as `tcp/53`. */
  readonly ports: readonly string[];
  readonly endpoints: number;
  /** Hosts with an agent, and how many of them have in force what stands for the service. */
  readonly hosts: number;
  readonly hostsInForce: number;
}

export function policyStatus(policy: Pick<Policy, 'name' | 'generation'>, input: StatusInput): PolicyStatus {
  const rows = input.resolved.rows.filter((row) => row.policy === policy.name);
  const accepted = rows.filter((row) => row.accepted);
  return {
    observedGeneration: policy.generation,
    policies: accepted.length,
    endpoints: new Set(accepted.flatMap((row) => row.endpoints.map(({ address }) => address))).size,
    hosts: `${hostsInForce(accepted, input)}/${input.resolved.hosts.length}`,
    conditions: conditionsOf(rows, input),
    rows: rows.map((row) => rowStatus(row, input)),
  };
}

/** A row that is refused has its line, with nothing in it: its condition says why. */
function rowStatus({ row, service, accepted, ports, endpoints }: ResolvedRow, input: StatusInput): RowStatus {
  const standing = input.standingOf(service);
  const stage = leastStage(ports.map((port) => standing.stages.get(formatPort(port))));
  return {
    name: row.name,
    service,
    ...(stage === undefined || !accepted ? {} : { stage }),
    ports: accepted ? ports.map(formatPort) : [],
    endpoints: accepted ? endpoints.length : 0,
    hosts: input.resolved.hosts.length,
    hostsInForce: accepted ? inForce(service, input).length : 0,
  };
}

const ORDER: readonly Stage[] = ['gone', 'release', 'prepare', 'protect', 'enforce'];

function leastStage(stages: readonly (Stage | undefined)[]): Stage | undefined {
  return stages.includes(undefined) ? undefined : ORDER.find((stage) => stages.includes(stage));
}

function hostsInForce(rows: readonly ResolvedRow[], input: StatusInput): number {
  const standings = rows
    .filter((row) => row.ports.length > 0)
    .map((row) => new Set(inForce(row.service, input)));
  if (standings.length === 0) return 0;
  return input.resolved.hosts.filter(({ name }) => standings.every((standing) => standing.has(name))).length;
}

/** A host whose guard is not in place lets through what has no tunnel. */
function inForce(service: string, input: StatusInput): HostName[] {
  const unguarded = new Set([...unguardedHosts(input).values()].flat());
  return input.standingOf(service).hostsInForce.filter((host) => !unguarded.has(host));
}
