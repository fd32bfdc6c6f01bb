// docs/reference/metrics.md says what the programs expose, out of their registries: UPDATE_GOLDEN=1 writes its tables.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { agentMetrics } from '../../../app/agent/agent-metrics.ts';
import { managerMetrics } from '../../../app/manager/manager-metrics.ts';
import { programMetrics } from '../../../app/runtime/program-metrics.ts';
import { CONTROLLER_0 } from '../../support/facts-builders.ts';
import { virtualClock } from '../../support/virtual-clock.ts';

const PAGE = join(import.meta.dirname, '../../../docs/reference/metrics.md');
/** What a label may say: as many values as there are of these, and no more. */
const LABELS: Readonly<Record<string, string>> = {
  program: 'manager, agent',
  version: 'one',
  verb: 'get, list, watch, create, update, patch, delete',
  resource: 'the kinds that are read and written',
  error: 'names of errors in the code',
  result: 'done, failed',
  service: 'protected services, as namespace/name, and none',
  direction: 'egress and ingress of packets held; in and out of tunnels',
  reason: 'ingress, egress, cluster_ip, masqueraded, icmp_errors',
  kind: 'ike, child',
  peer: 'other hosts',
  command: "charon's commands",
  outcome: 'done, refused, lost',
  policy: 'policies',
};

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames?: readonly string[];
}

function exposed(fill: (registry: Registry) => void): Metric[] {
  const registry = new Registry();
  fill(registry);
  return registry.getMetricsAsArray() as unknown as Metric[];
}

const AGENT = exposed((registry) => agentMetrics(registry, CONTROLLER_0));
const MANAGER = exposed((registry) => managerMetrics(registry, virtualClock()));
const BOTH = exposed((registry) => programMetrics(registry, 'agent'));
const ALL = [...AGENT, ...MANAGER, ...BOTH];

function table(metrics: readonly Metric[]): string {
  const rows = metrics.map(
    ({ name, type, labelNames = [], help }) =>
      `| \`${name}\` | ${type} | ${labelNames.join(', ')} | ${help} |`,
  );
  return ['| metric | type | labels | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

const GENERATED = [
  `## Agent\n\n${table(AGENT)}`,
  `## Manager\n\n${table(MANAGER)}`,
  `## Both\n\n${table(BOTH)}`,
  `## Labels\n\n| label | values |\n| --- | --- |\n${Object.entries(LABELS)
    .map(([label, values]) => `| \`${label}\` | ${values} |`)
    .join('\n')}`,
].join('\n\n');

describe('docs/reference/metrics.md', () => {
  it('has the tables of the registries', () => {
    const [head] = readFileSync(PAGE, 'utf8').split('## Agent');
    const text = `${head ?? ''}${GENERATED}\n`;
    if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(PAGE, text);
    expect(readFileSync(PAGE, 'utf8')).to.equal(text);
  });

  it('knows every label', () => {
    const labels = new Set(ALL.flatMap(({ labelNames = [] }) => labelNames));
    expect([...labels].sort()).to.deep.equal(Object.keys(LABELS).sort());
  });

  it('names them as Prometheus wants it', () => {
    for (const { name, type } of ALL) {
      expect(name).to.match(/^ipsec_policy_[a-z_]+$/);
      expect(name.endsWith('_total'), name).to.equal(type === 'counter');
    }
  });
});
