// The Grafana dashboard: a table of panels, and the JSON that Grafana reads. Written into the chart by generate-chart.ts; its
// queries are run by a real Prometheus in test/testbed/dashboard.test.ts. Pure.

export interface Query {
  readonly expr: string;
  /** `{{service}}`: a label of the series. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly help: string;
  readonly unit: 'short' | 'Bps' | 'pps' | 's' | 'ops';
  /** One figure, red when it is not 0; else lines over time. */
  readonly isFigure?: true;
  readonly queries: readonly Query[];
}

const one = (expr: string, legend: string): readonly Query[] => [{ expr, legend }];
const rate = (metric: string): string => `rate(${metric}[$__rate_interval])`;

export const PANELS: readonly Panel[] = [
  {
    title: 'Flows not in force',
    help: 'Over all hosts. 0 when all is well',
    unit: 'short',
    isFigure: true,
    queries: one('sum(ipsec_policy_flows_not_in_force)', ''),
  },
  {
    title: 'Policies not programmed',
    help: '0 when all is well',
    unit: 'short',
    isFigure: true,
    queries: one('max(ipsec_policy_policies_not_programmed)', ''),
  },
  {
    title: 'Guards not in place',
    help: 'Hosts on which nothing holds what has no tunnel. 0 when all is well',
    unit: 'short',
    isFigure: true,
    queries: one('sum(ipsec_policy_guard_not_in_place)', ''),
  },
  {
    title: 'Problems',
    help: 'Reported by all hosts. 0 when all is well',
    unit: 'short',
    isFigure: true,
    queries: one('sum(ipsec_policy_problems)', ''),
  },
  {
    title: 'Flows wanted and in force',
    help: 'By service, over all hosts; the two lines lie on each other when all is well',
    unit: 'short',
    queries: [
      { expr: 'sum by (service) (ipsec_policy_flows)', legend: '{{service}} wanted' },
      { expr: 'sum by (service) (ipsec_policy_flows_in_force)', legend: '{{service}} in force' },
    ],
  },
  {
    title: 'Established SAs',
    help: 'CHILD_SAs by service. A tunnel is made by the first packet that needs one',
    unit: 'short',
    queries: one('sum by (service) (ipsec_policy_child_sas)', '{{service}}'),
  },
  {
    title: 'Traffic in tunnels',
    help: 'What leaves hosts, by service; what arrives is the same on other hosts',
    unit: 'Bps',
    queries: one(
      `sum by (service) (${rate('ipsec_policy_tunnel_bytes_total{direction="out"}')})`,
      '{{service}}',
    ),
  },
  {
    title: 'Packets held by the guard',
    help: 'By service and direction; the first packets of a tunnel are normal, a line that stays is not',
    unit: 'pps',
    queries: one(
      `sum by (service, direction) (${rate('ipsec_policy_guard_held_packets_total')})`,
      '{{service}} {{direction}}',
    ),
  },
  {
    title: 'From a change to its being in force',
    help: 'The slowest tenth, on hosts',
    unit: 's',
    queries: one(
      `histogram_quantile(0.9, sum by (le) (${rate('ipsec_policy_change_in_force_seconds_bucket')}))`,
      'nine in ten within',
    ),
  },
  {
    title: 'Rekeyings and failed handshakes',
    help: 'A peer that is not reached is asked again and again',
    unit: 'ops',
    queries: [
      { expr: `sum by (kind) (${rate('ipsec_policy_rekeys_total')})`, legend: 'rekeyed {{kind}}' },
      { expr: `sum(${rate('ipsec_policy_failed_handshakes_total')}) or vector(0)`, legend: 'failed' },
    ],
  },
  {
    title: 'Commands to charon',
    help: 'By what became of them',
    unit: 'ops',
    queries: one(`sum by (outcome) (${rate('ipsec_policy_vici_commands_total')})`, '{{outcome}}'),
  },
  {
    title: 'Duration of a pass',
    help: 'The slowest tenth of each agent, and of the manager',
    unit: 's',
    queries: one(
      `histogram_quantile(0.9, sum by (le, instance) (${rate('ipsec_policy_pass_seconds_bucket')}))`,
      '{{instance}}',
    ),
  },
];

const COLUMNS = 24;
const FIGURES_IN_A_ROW = 4;
const LINES_IN_A_ROW = 2;

/** Grafana's model; any data source of Prometheus can be chosen. */
export function dashboardJson(): string {
  const figures = PANELS.filter(({ isFigure }) => isFigure === true);
  const lines = PANELS.filter(({ isFigure }) => isFigure !== true);
  const dashboard = {
    title: 'IPsec policies',
    uid: 'ipsec-policy-operator',
    tags: ['ipsec'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }] },
    panels: [
      ...figures.map((panel, index) => grafanaPanel(panel, place(index, FIGURES_IN_A_ROW, 0, 4), index + 1)),
      ...lines.map((panel, index) =>
        grafanaPanel(panel, place(index, LINES_IN_A_ROW, 4, 8), figures.length + index + 1),
      ),
    ],
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}

function place(index: number, inARow: number, top: number, height: number): object {
  const width = COLUMNS / inARow;
  return { x: (index % inARow) * width, y: top + Math.floor(index / inARow) * height, w: width, h: height };
}

function grafanaPanel({ title, help, unit, isFigure, queries }: Panel, gridPos: object, id: number): object {
  const steps = [
    { color: 'green', value: null },
    { color: 'red', value: 1 },
  ];
  return {
    id,
    title,
    description: help,
    type: isFigure === true ? 'stat' : 'timeseries',
    gridPos,
    datasource: { type: 'prometheus', uid: '${datasource}' },
    fieldConfig: {
      defaults: { unit, ...(isFigure === true ? { thresholds: { mode: 'absolute', steps } } : { min: 0 }) },
      overrides: [],
    },
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      expr,
      legendFormat: legend,
    })),
  };
}
