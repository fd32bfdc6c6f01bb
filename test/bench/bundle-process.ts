// The bundle that ships as a child process, and what can be read of it from outside: its memory, its processor time, its
// metrics and its log. What is measured with it: manager.ts and agent.ts.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/control-plane.ts';
import { startChild, type Child } from '../support/child.ts';

const BUNDLE = join(import.meta.dirname, '../../dist/ipsec-policy-operator.mjs');

export interface BundleProcess {
  readonly child: Child;
  /** `performance.now()` when it was started. */
  readonly startedAt: number;
  memory(): Memory;
  /** Seconds of processor time so far. */
  cpuSeconds(): number;
  /** Requests to the API server so far by `verb resource`, out of the program's own counter. */
  requests(): Promise<ReadonlyMap<string, number>>;
  /** Its log lines so far. */
  log(): readonly LogLine[];
}

export interface LogLine {
  readonly msg: string;
  readonly time: string;
  readonly [field: string]: unknown;
}

export interface Memory {
  readonly rssMB: number;
  readonly peakRssMB: number;
}

/** Starts `manager` or `agent` with these settings; the health port is free and local. */
export async function startBundle(
  program: 'manager' | 'agent',
  logFile: string,
  settings: Readonly<Record<string, string>>,
): Promise<BundleProcess> {
  if (!existsSync(BUNDLE)) throw new Error(`${BUNDLE} is missing: node scripts/bundle.ts`);
  const port = await freePort('127.0.0.1');
  const startedAt = performance.now();
  const child = startChild({
    command: process.execPath,
    args: [BUNDLE, program],
    logFile,
    env: { PATH: process.env['PATH'], HEALTH_HOST: '127.0.0.1', HEALTH_PORT: String(port), ...settings },
  });
  return {
    child,
    startedAt,
    memory: () => memoryOf(child.pid),
    cpuSeconds: () => cpuSecondsOf(child.pid),
    requests: () => requestsOf(port),
    log: () => linesOf(logFile),
  };
}

function memoryOf(pid: number | undefined): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (key: string): number =>
    Math.round((Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024) / 1e6);
  return { rssMB: megabytes('VmRSS'), peakRssMB: megabytes('VmHWM') };
}

/** Fields 14 and 15 of /proc/<pid>/stat, in ticks of 10 ms. */
function cpuSecondsOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function requestsOf(port: number): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const counter = /^ipsec_policy_api_requests_total\{verb="(\w+)",resource="(\w+)"\} (\d+)$/gm;
  return new Map(
    [...text.matchAll(counter)].map(([, verb, resource, count]) => [`${verb} ${resource}`, Number(count)]),
  );
}

function linesOf(logFile: string): LogLine[] {
  return readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
}
