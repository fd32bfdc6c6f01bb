// A real Prometheus, Debian's, that scrapes what a test names, and answers its queries.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from './child.ts';
import { until } from './until.ts';

export interface Target {
  readonly instance: string;
  /** `10.10.10.2:9822`. */
  readonly address: string;
}

export interface RangeSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

export interface Prometheus {
  /** Names of targets whose last scrape went well. */
  up(): Promise<string[]>;
  /** Over all that has been scraped; `from` and `to` in seconds since the epoch. */
  range(expr: string, from: number, to: number): Promise<readonly RangeSeries[]>;
  stop(): Promise<void>;
}

export const SCRAPE_SECONDS = 1;

export async function startPrometheus(
  dir: string,
  targets: readonly Target[],
  port: number,
): Promise<Prometheus> {
  mkdirSync(dir, { recursive: true });
  const config = join(dir, 'prometheus.yml');
  writeFileSync(
    config,
    JSON.stringify({
      global: { scrape_interval: `${SCRAPE_SECONDS}s`, scrape_timeout: `${SCRAPE_SECONDS}s` },
      scrape_configs: [
        {
          job_name: 'ipsec-policy-operator',
          static_configs: targets.map(({ instance, address }) => ({
            targets: [address],
            labels: { instance },
          })),
        },
      ],
    }),
  );
  const child = startChild({
    command: 'prometheus',
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    logFile: join(dir, 'prometheus.log'),
    env: { PATH: process.env['PATH'] },
  });
  const ask = async <T>(path: string, query: Readonly<Record<string, string>>): Promise<readonly T[]> => {
    const url = `http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(query).toString()}`;
    const body = (await (await fetch(url)).json()) as { data?: { result: readonly T[] }; error?: string };
    if (body.data === undefined) throw new Error(`${query['query']}: ${body.error}`);
    return body.data.result;
  };
  await until('Prometheus is ready', async () =>
    fetch(`http://127.0.0.1:${port}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return {
    up: async () =>
      (await ask<{ metric: { instance: string } }>('query', { query: 'up == 1' })).map(
        ({ metric }) => metric.instance,
      ),
    range: (query, from, to) =>
      ask<RangeSeries>('query_range', { query, start: String(from), end: String(to), step: '1' }),
    stop: () => child.kill(),
  };
}
