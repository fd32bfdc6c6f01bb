// Every query of the dashboard, run by a real Prometheus that scrapes the agents of three hosts and the manager while a policy
// comes, traffic flows, an SA is rekeyed, a guard is flushed and a port goes: no panel is empty. UPDATE_DOCS=1 draws the answers.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { dashboardSvg, type Answered } from '../../scripts/dashboard-svg.ts';
import { PANELS, type Panel } from '../../scripts/dashboard.ts';
import { startPrometheus, type Prometheus, type RangeSeries } from '../support/prometheus.ts';
import { until } from '../support/until.ts';
import { startLab, type Lab } from './lab/lab.ts';
import { operator, type Operator, type PolicyRow } from './lab/operator.ts';
import { addSeedServices, askEveryServer } from './lab/seed-services.ts';
import { HOST_NAMES, HOSTS } from './lab/topology.ts';

const POLICY = 'dns';
const ROW: PolicyRow = {
  name: 'kube-dns',
  servicename: 'kube-dns',
  servicens: 'kube-system',
  serviceports: 'udp/53,tcp/53',
};
const MANAGER_PORT = 19_822;
const PICTURE = join(import.meta.dirname, '../../docs/images/dashboard.svg');

describe('the dashboard', () => {
  let lab: Lab;
  let op: Operator;
  let prometheus: Prometheus;
  let startedSeconds: number;

  before(async function () {
    this.timeout(180_000);
    lab = await startLab();
    op = operator(lab, { from: 'bundle' });
    await addSeedServices(lab);
    op.startManager({ HEALTH_PORT: String(MANAGER_PORT), HEALTH_HOST: '127.0.0.1' });
    for (const host of HOST_NAMES) op.startAgent(host, { HEALTH_HOST: '0.0.0.0' });
    prometheus = await startPrometheus(
      join(lab.dir, 'prometheus'),
      [
        { instance: 'manager', address: `127.0.0.1:${MANAGER_PORT}` },
        ...HOST_NAMES.map((host) => ({ instance: host, address: `${HOSTS[host].oam}:9822` })),
      ],
      19_090,
    );
    await until(
      'all are scraped',
      async () => (await prometheus.up()).length === HOST_NAMES.length + 1,
      60_000,
    );
    startedSeconds = Date.now() / 1000;
  });

  after(async () => {
    await prometheus.stop();
    await op.stop();
    await lab.stop();
  });

  const askFor = async (seconds: number): Promise<void> => {
    const endMs = Date.now() + seconds * 1000;
    while (Date.now() < endMs) {
      await askEveryServer(lab, 'udp');
      await askEveryServer(lab, 'tcp');
    }
  };

  const answersOf = async (panel: Panel): Promise<Answered> => {
    const series = await Promise.all(
      panel.queries.map(async ({ expr, legend }) => {
        const query = expr.replaceAll('$__rate_interval', '10s');
        const found = await prometheus.range(query, startedSeconds, Date.now() / 1000);
        return found.map((each) => ({ name: named(legend, each), points: finite(each) }));
      }),
    );
    return { panel, series: series.flat().filter(({ points }) => points.length > 0) };
  };

  it('has no empty panel', async function () {
    this.timeout(300_000);
    await op.applyPolicy(POLICY, [ROW]);
    await op.untilProgrammed(POLICY);
    await askFor(20);
    await lab.swanctl('worker-0', '--rekey', '--child', 'udp_kube-dns_egress');
    await askFor(10);
    await lab.run('worker-0', ['nft', 'flush', 'ruleset']);
    await askFor(20);
    await op.applyPolicy(POLICY, [{ ...ROW, serviceports: 'udp/53' }]);
    await op.untilProgrammed(POLICY);
    await askFor(10);
    const answers: Answered[] = [];
    for (const panel of PANELS) answers.push(await answersOf(panel));
    for (const { panel, series } of answers) expect(series, panel.title).not.to.deep.equal([]);
    const most = (title: string): number => {
      const found = answers.find(({ panel }) => panel.title === title)?.series ?? [];
      return Math.max(...found.flatMap(({ points }) => points.map(([, value]) => value)));
    };
    expect(most('Established SAs')).to.be.above(0);
    expect(most('Traffic in tunnels')).to.be.above(0);
    expect(most('Rekeyings and failed handshakes')).to.be.above(0);
    if (process.env['UPDATE_DOCS'] === undefined) return;
    mkdirSync(join(PICTURE, '..'), { recursive: true });
    writeFileSync(PICTURE, dashboardSvg(answers));
  });
});

function named(legend: string, { metric }: RangeSeries): string {
  return legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '');
}

function finite({ values }: RangeSeries): [number, number][] {
  return values
    .map(([time, text]): [number, number] => [time, Number(text)])
    .filter(([, value]) => Number.isFinite(value));
}
