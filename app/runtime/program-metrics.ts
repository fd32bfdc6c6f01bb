// What both programs say to Prometheus: which release it is, what it asks of the API server, how its passes go.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { WorldError } from './errors.ts';
import { operatorVersion } from './version.ts';
import type { PassDone } from './work-loop.ts';

export interface ProgramMetrics {
  readonly onRequest: (verb: string, resource: { readonly plural: string }) => void;
  /** A failure of the world after which something is tried again. */
  readonly onFailure: (error: WorldError) => void;
  readonly onPass: (done: PassDone) => void;
}

const PASS_SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];

export function programMetrics(registry: Registry, program: 'manager' | 'agent'): ProgramMetrics {
  const registers = [registry];
  const build = new Gauge({
    name: 'ipsec_policy_build_info',
    help: 'Always 1; the labels say what runs',
    labelNames: ['program', 'version'],
    registers,
  });
  build.set({ program, version: operatorVersion() }, 1);
  const requests = new Counter({
    name: 'ipsec_policy_api_requests_total',
    help: 'Requests sent to the API server',
    labelNames: ['verb', 'resource'],
    registers,
  });
  const failures = new Counter({
    name: 'ipsec_policy_failures_total',
    help: 'Failures of the world after which something is tried again: ApiError, ViciClosedError, ViciCommandError, FileError, ...',
    labelNames: ['error'],
    registers,
  });
  const passes = new Histogram({
    name: 'ipsec_policy_pass_seconds',
    help: 'How long a pass took, by how it ended',
    labelNames: ['result'],
    buckets: PASS_SECONDS,
    registers,
  });
  const queue = new Histogram({
    name: 'ipsec_policy_queue_seconds',
    help: 'How long a change waited for its pass',
    buckets: PASS_SECONDS,
    registers,
  });
  return {
    onRequest: (verb, { plural }) => requests.inc({ verb, resource: plural }),
    onFailure: ({ name }) => failures.inc({ error: name }),
    onPass: ({ waitedMs, durationMs, isFailed }) => {
      passes.observe({ result: isFailed ? 'failed' : 'done' }, durationMs / 1000);
      if (waitedMs !== undefined) queue.observe(waitedMs / 1000);
    },
  };
}
