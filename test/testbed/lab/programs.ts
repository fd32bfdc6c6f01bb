// How manager and agents are started in the lab: out of the packaged image, confined as the chart says, or straight from the
// bundle, which takes less time. Which of them, and what they then do, is operator.ts's business.
import { join } from 'node:path';
import { startChild } from '../../support/child.ts';
import { installChart } from './chart-install.ts';
import type { Program } from './containers.ts';
import { makePod, type Pod, type RunOptions } from './kubelet.ts';
import type { Lab } from './lab.ts';
import type { LabHost } from './topology.ts';

export interface Programs {
  manager(options: RunOptions): Promise<Program>;
  agent(host: LabHost, options: RunOptions): Promise<Program>;
}

const BUNDLE = join(import.meta.dirname, '../../../dist/ipsec-policy-operator.mjs');

/** The bundle must have been made: `npm run bundle`. All speak to the API as an administrator. */
export function bundlePrograms(lab: Lab): Programs {
  const KUBECONFIG = lab.cluster.adminKubeconfig;
  return {
    manager: ({ logFile, env }) => {
      const child = startChild({
        command: process.execPath,
        args: [BUNDLE, 'manager'],
        logFile,
        env: { PATH: process.env['PATH'], KUBECONFIG, POD_NAMESPACE: 'kube-system', ...env },
      });
      return Promise.resolve({
        signal: (name) => {
          child.signal(name);
          return Promise.resolve();
        },
        ended: () => child.ended(),
      });
    },
    agent: (host, { logFile, env }) => {
      const child = lab.spawn(host, [process.execPath, BUNDLE, 'agent'], {
        logFile,
        env: { KUBECONFIG, NODE_NAME: host, ...env },
      });
      return Promise.resolve({
        signal: (name) => {
          child.kill(name);
          return Promise.resolve();
        },
        ended: async () => {
          await child.wait();
        },
      });
    },
  };
}

/**
 * Each with the service account of the chart and a token bound to its pod. A pod is made at its first start and stays when its
 * container ends, so that one can start again while the API is away.
 */
export function imagePrograms(lab: Lab): Programs {
  const pods = new Map<string, Promise<Pod>>();
  const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
    let made: Promise<T> | undefined;
    return () => (made ??= make());
  };
  const chart = once(() => installChart(lab));
  const pod = (workload: 'manager' | 'agent', node: LabHost): Promise<Pod> => {
    const name = `ipsec-policy-${workload}-${node}`;
    const make = async (): Promise<Pod> => {
      const installed = await chart();
      const place = workload === 'agent' ? { place: node } : {};
      return makePod(lab, {
        name,
        node,
        namespace: installed.namespace,
        template: installed[workload],
        ...place,
      });
    };
    const found = pods.get(name) ?? make();
    pods.set(name, found);
    return found;
  };
  return {
    manager: async (options) => (await pod('manager', 'controller-0')).run(options),
    agent: async (host, options) => (await pod('agent', host)).run(options),
  };
}
