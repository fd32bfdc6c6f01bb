// How does `status` read? One line that says it all, two tables with the worst first, then what is wrong and what to do.
import type { ClusterStatus } from '../domain/cluster-status.ts';
import type { HostStanding } from '../domain/host-standing.ts';
import type { PolicyStanding, RowStanding } from '../domain/policy-standing.ts';
import { formatPort } from '../domain/ports.ts';
import type { Verdict } from '../domain/verdict.ts';
import { age } from './age.ts';
import { oneLine, table, type Cell, type Colour, type Paint } from './table.ts';

export interface TextOptions {
  readonly nowMs: number;
  readonly paint: Paint;
  /** More columns, and every endpoint. */
  readonly isWide: boolean;
}

export const COLOURS: Readonly<Record<Verdict, Colour>> = { wrong: 'red', unknown: 'yellow', well: 'green' };

export function statusText(status: ClusterStatus, options: TextOptions): string {
  const { policies, hosts } = status;
  const parts = [
    `${headline(status, options.paint)}\n`,
    policies.length === 0 ? '' : policyTable(policies, options),
    hosts.length === 0 ? '' : hostTable(hosts, options),
    findings(status, options),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function headline({ verdict, policies, hosts, leader }: ClusterStatus, paint: Paint): string {
  const inForce = policies.filter((policy) => policy.verdict === 'well').length;
  const troubled = hosts.filter((host) => host.verdict !== 'well').length;
  const state =
    policies.length === 0
      ? 'No IPsecPolicy: nothing is protected'
      : `${inForce} of ${count(policies.length, 'policy', 'policies')} in force`;
  const hostsSay = troubled === 0 ? '' : `; ${count(troubled, 'host has', 'hosts have')} problems`;
  const leads = { leads: ` Manager: ${oneLine(leader.holder)}.`, none: ' No manager leads.', unknown: '' };
  return `${paint(`${state}${hostsSay}.`, COLOURS[verdict])}${leads[leader.state]}`;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** A line for each row of a policy; what is of the policy as a whole stands in its first. */
function policyTable(policies: readonly PolicyStanding[], options: TextOptions): string {
  const { isWide, nowMs, paint } = options;
  const headings = [
    ...['POLICY', 'STATE', 'SINCE', 'HOSTS', 'SERVICE', 'STAGE', 'PORTS', 'ENDPOINTS'],
    ...(isWide ? ['ROW', 'ENDPOINTS ON'] : []),
  ];
  const lines = policies.flatMap((policy) => {
    const whole = [
      policy.name,
      { text: policy.state, colour: COLOURS[policy.verdict] },
      age(policy.since, nowMs),
    ];
    if (policy.rows.length === 0)
      return [[...whole, `${policy.hostsInForce}/${policy.hosts}`, '', '', '', '']];
    return policy.rows.map((row, index) => [
      ...(index === 0 ? whole : [{ text: ' ' }, { text: ' ' }, { text: ' ' }]),
      ...rowCells(row),
      ...(isWide ? [row.name, row.endpoints.map(endpointText).join(',')] : []),
    ]);
  });
  return table(headings, lines, paint);
}

function rowCells(row: RowStanding): (string | Cell)[] {
  return [
    { text: `${row.hostsInForce}/${row.hosts}`, ...(row.verdict === 'well' ? {} : { colour: 'red' }) },
    row.service,
    stageText(row),
    row.ports.map(({ port }) => port).join(','),
    String(row.endpoints.length),
  ];
}

/** One word when all ports are equally far. */
function stageText({ ports }: RowStanding): string {
  const stages = new Set(ports.map(({ stage = 'not begun' }) => stage));
  if (stages.size <= 1) return [...stages].join('');
  return ports.map(({ port, stage = 'not begun' }) => `${port}:${stage}`).join(',');
}

function endpointText({ address, host, state }: RowStanding['endpoints'][number]): string {
  return `${address}@${host}${state === 'active' ? '' : `(${state})`}`;
}

function hostTable(hosts: readonly HostStanding[], { isWide, nowMs, paint }: TextOptions): string {
  const headings = [
    ...['HOST', 'STATE', 'NODE', 'AGENT', 'CHARON', 'GUARD', 'FLOWS', 'TUNNELS', 'CHANGED'],
    ...(isWide ? ['GUARD HOLDS', 'REPAIRS', 'PEERS', 'NOT REACHED'] : []),
  ];
  const lines = hosts.map((host) => {
    const { counters } = host;
    return [
      host.name,
      { text: host.verdict === 'well' ? 'ok' : 'problem', colour: COLOURS[host.verdict] },
      host.node,
      host.agent,
      host.charon,
      host.guard?.state ?? '',
      counters === undefined ? '' : `${counters.flowsInForce}/${counters.flows}`,
      counters === undefined ? '' : String(counters.childSas),
      age(host.reportedAt, nowMs),
      ...(isWide ? wideCells(host) : []),
    ];
  });
  return table(headings, lines, paint);
}

function wideCells({ guard, counters, peersNotReached }: HostStanding): string[] {
  return [
    guard === undefined ? '' : `${guard.holding}/${guard.rows}`,
    guard === undefined ? '' : String(guard.repairs),
    counters === undefined ? '' : String(counters.connections),
    peersNotReached.join(','),
  ];
}

function findings({ policies, hosts, findings: general }: ClusterStatus, options: TextOptions): string {
  const { nowMs, paint } = options;
  const reported = (time: string | undefined): string =>
    time === undefined ? '' : ` Its report last changed ${age(time, nowMs)} ago.`;
  const ofPolicies = policies.flatMap((policy) => [
    ...policy.findings.map((text) => `policy ${policy.name}: ${text}`),
    ...policy.missing.map(
      ({ host, why, reportedAt }) => `policy ${policy.name}: ${host} ${why}${reported(reportedAt)}`,
    ),
  ]);
  const ofHosts = hosts.flatMap((host) => host.findings.map((text) => `host ${host.name}: ${text}`));
  const lines = [
    ...general.filter(({ verdict }) => verdict !== 'well').map(({ message }) => message),
    ...ofPolicies,
    ...ofHosts,
  ];
  const notes = general.filter(({ verdict }) => verdict === 'well').map(({ message }) => message);
  return [section('What is wrong, and what to do:', lines, paint), section('Note:', notes, paint)]
    .filter((text) => text !== '')
    .join('\n');
}

function section(title: string, lines: readonly string[], paint: Paint): string {
  if (lines.length === 0) return '';
  return `${paint(title, 'bold')}\n${[...new Set(lines)].map((line) => `  ${oneLine(line)}\n`).join('')}`;
}

/** The status as plain data, ports as texts: what `-o json` and `-o yaml` print. */
export function statusData(status: ClusterStatus): object {
  return {
    ...status,
    policies: status.policies.map((policy) => ({
      ...policy,
      rows: policy.rows.map((row) => ({
        ...row,
        endpoints: row.endpoints.map((endpoint) => ({ ...endpoint, ports: endpoint.ports.map(formatPort) })),
      })),
    })),
  };
}
