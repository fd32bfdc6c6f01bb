// Flux's own helm-controller, native, as an administrator of the lab's API; and a stand-in for its source-controller, which cannot be
// built here: it offers one packed chart for every HelmChart, as an artifact of the chart repository.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { basename, join } from 'node:path';
import { kubectl } from '../support/service-accounts.ts';
import { startChild, type Child } from '../support/child.ts';
import type { KubeObject } from '../testbed/lab/api.ts';
import type { Lab } from '../testbed/lab/lab.ts';
import { OUTSIDE_ADDRESS } from '../testbed/lab/topology.ts';

export interface Flux {
  /** `host:port` where charts can be had. */
  readonly chartHost: string;
  readonly controller: Child;
  stop(): Promise<void>;
}

const SOURCE_API = '/apis/source.toolkit.fluxcd.io/v1';
const MERGE = 'application/merge-patch+json';
const LOOK_MS = 300;

/** Applies the definitions and resolves when both run. */
export async function startFlux(lab: Lab, chart: string): Promise<Flux> {
  const folder = process.env['IPSEC_FLUX_DIR'] ?? '';
  const definitions = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  for (const name of definitions)
    await kubectl(lab.cluster, ['apply', '--server-side', '--filename', join(folder, name)]);
  await kubectl(lab.cluster, [
    ...['wait', '--for=condition=Established', '--timeout=30s', 'customresourcedefinitions'],
    ...definitions.map((name) => {
      const [group = '', plural = ''] = name.replace('.yaml', '').split('_');
      return `${plural}.${group}`;
    }),
  ]);
  const server = await serve(chart);
  const chartHost = `${OUTSIDE_ADDRESS}:${portOf(server)}`;
  const offering = setInterval(() => {
    void offerCharts(lab, chart, chartHost).catch((error: unknown) => console.error('source:', error));
  }, LOOK_MS);
  const controller = startChild({
    command: join(folder, 'helm-controller'),
    logFile: join(lab.dir, 'helm-controller.log'),
    args: [
      ...['--enable-leader-election=false', '--metrics-addr=127.0.0.1:0', '--health-addr=127.0.0.1:0'],
      '--log-level=debug',
    ],
    env: {
      PATH: process.env['PATH'],
      HOME: lab.dir,
      KUBECONFIG: lab.cluster.adminKubeconfig,
      RUNTIME_NAMESPACE: 'flux-helm',
    },
  });
  return {
    chartHost,
    controller,
    stop: async () => {
      clearInterval(offering);
      await controller.kill();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The one chart under any folder, by its own name. */
function serve(chart: string): Promise<Server> {
  const server = createServer((request, response) => {
    const found = basename(request.url ?? '') === basename(chart);
    response.statusCode = found ? 200 : 404;
    response.end(found ? readFileSync(chart) : undefined);
  });
  return new Promise((resolve) => server.listen(0, OUTSIDE_ADDRESS, () => resolve(server)));
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

interface HelmChart extends KubeObject {
  readonly spec: {
    readonly chart: string;
    readonly version: string;
    readonly sourceRef: { readonly name: string };
  };
  readonly status?: { readonly observedGeneration?: number };
}

async function offerCharts(lab: Lab, chart: string, chartHost: string): Promise<void> {
  for (const object of (await lab.api.list(`${SOURCE_API}/helmcharts`)) as readonly HelmChart[]) {
    const { namespace = '', name, generation } = object.metadata;
    if (object.status?.observedGeneration === generation) continue;
    const repository = (await lab.api.get(
      `${SOURCE_API}/namespaces/${namespace}/helmrepositories/${object.spec.sourceRef.name}`,
    )) as KubeObject & { readonly spec: { readonly url: string } };
    const url = `${repository.spec.url}/${object.spec.chart}-${object.spec.version}.tgz`;
    if (new URL(url).host !== chartHost) throw new Error(`${url} is not the platform's repository`);
    await lab.api.call(
      'PATCH',
      `${SOURCE_API}/namespaces/${namespace}/helmcharts/${name}/status`,
      { status: chartStatus(object, chart, url) },
      MERGE,
    );
  }
}

function chartStatus({ metadata, spec }: HelmChart, chart: string, url: string): object {
  const now = new Date().toISOString();
  const bytes = readFileSync(chart);
  return {
    observedGeneration: metadata.generation,
    observedChartName: spec.chart,
    url,
    conditions: [
      {
        ...{ type: 'Ready', status: 'True', reason: 'ChartPullSucceeded', message: '' },
        ...{ lastTransitionTime: now, observedGeneration: metadata.generation },
      },
    ],
    artifact: {
      ...{ path: basename(chart), url, revision: spec.version, lastUpdateTime: now, size: bytes.length },
      digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    },
  };
}
