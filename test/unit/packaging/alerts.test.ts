// The alert rules and the dashboard: promtool accepts and tests them, every rule has a test in which it fires, and no query asks
// for a metric that the programs do not have.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { Registry } from 'prom-client';
import { agentMetrics } from '../../../app/agent/agent-metrics.ts';
import { managerMetrics } from '../../../app/manager/manager-metrics.ts';
import { programMetrics } from '../../../app/runtime/program-metrics.ts';
import { PANELS } from '../../../scripts/dashboard.ts';
import { CONTROLLER_0 } from '../../support/facts-builders.ts';
import { virtualClock } from '../../support/virtual-clock.ts';

const RULES = join(import.meta.dirname, '../../../charts/ipsec-policy-operator/files/alerts.yaml');
const TESTS = join(import.meta.dirname, 'alerts.test.yaml');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary?: string; readonly description?: string };
}
interface RuleTest {
  readonly alert_rule_test: readonly {
    readonly alertname: string;
    readonly exp_alerts?: readonly unknown[];
  }[];
}

const { groups } = load(readFileSync(RULES, 'utf8')) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const promtool = (...args: readonly string[]): string =>
  execFileSync('promtool', args, { encoding: 'utf8', stdio: 'pipe' });

describe('alert rules', () => {
  it('are accepted by Prometheus', () => {
    expect(promtool('check', 'rules', RULES)).to.contain('SUCCESS');
  });

  it('fire when they should and not when they should not', function () {
    this.timeout(20_000);
    expect(promtool('test', 'rules', TESTS)).to.contain('SUCCESS');
  });

  it('are each tested firing and silent', () => {
    const { tests } = load(readFileSync(TESTS, 'utf8')) as { readonly tests: readonly RuleTest[] };
    const cases = tests.flatMap(({ alert_rule_test: all }) => all);
    const names = (isFiring: boolean): string[] => [
      ...new Set(
        cases
          .filter(({ exp_alerts: alerts = [] }) => alerts.length > 0 === isFiring)
          .map((one) => one.alertname),
      ),
    ];
    const all = rules.map(({ alert }) => alert);
    expect(names(true)).to.have.members(all);
    expect(names(false)).to.have.members(all);
  });

  it('say what is wrong and what to do', () => {
    for (const { alert, annotations } of rules)
      expect([annotations.summary, annotations.description], alert).not.to.include(undefined);
  });
});

describe('queries of alert rules and dashboard', () => {
  it('ask for metrics that there are', () => {
    const registry = new Registry();
    agentMetrics(registry, CONTROLLER_0);
    managerMetrics(registry, virtualClock());
    programMetrics(registry, 'agent');
    const known = registry.getMetricsAsArray().map(({ name }) => name);
    const exprs = [
      ...rules.map(({ expr }) => expr),
      ...PANELS.flatMap(({ queries }) => queries.map(({ expr }) => expr)),
    ];
    const asked = exprs.flatMap((expr) => expr.match(/ipsec_policy_[a-z_]+/g) ?? []);
    expect(asked).to.have.length.above(20);
    for (const name of asked) expect(known, name).to.include(name.replace(/_(bucket|count|sum)$/, ''));
  });
});
