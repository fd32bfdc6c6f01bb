// Our application in the lab: the manager outside, where pods of a control plane would run it, one agent in each host, both
// out of the image that ships. Suites ask here whether a policy is in force and wait for it; programs.ts starts things.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { POLICIES, SHARDS } from '../../../app/kubernetes/resources.ts';
import { until } from '../../support/until.ts';
import type { Program } from './containers.ts';
import type { Lab } from './lab.ts';
import { bundlePrograms, imagePrograms } from './programs.ts';
import { HOST_NAMES, type LabHost } from './topology.ts';

export interface PolicyRow {
  readonly name: string;
  readonly servicename: string;
  readonly servicens: string;
  readonly serviceports: string;
}

export interface ConditionText {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

export interface Operator {
  /** `env`: settings beside those of the lab. */
  startManager(env?: Readonly<Record<string, string>>): void;
  /** SIGKILL unless said otherwise; resolves when it is gone. */
  killManager(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Stops the manager where it is (SIGSTOP); gives the function that lets it go on. `startManager` may start another meanwhile. */
  pauseManager(): Promise<() => Promise<Program>>;
  startAgent(host: LabHost, env?: Readonly<Record<string, string>>): void;
  killAgent(host: LabHost, signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Creates the policy or makes it so; resolves when the API server has it. */
  applyPolicy(name: string, rows: readonly PolicyRow[]): Promise<void>;
  deletePolicy(name: string): Promise<void>;
  condition(policy: string, type: string): Promise<ConditionText | undefined>;
  /** Resolves when `Programmed` is True for the policy as it is now. */
  untilProgrammed(policy: string): Promise<void>;
  /** Resolves when a condition's message contains the text. */
  untilSays(policy: string, type: string, text: string): Promise<void>;
  /** Resolves when no shard is left and no host has a connection of ours. */
  untilNothingLeft(): Promise<void>;
  /** Names of our children that charon has loaded on a host, `<connection>/<child>`, sorted. */
  childrenOn(host: LabHost): Promise<readonly string[]>;
  /** The agent's log lines, parsed. */
  agentLog(host: LabHost): readonly Readonly<Record<string, unknown>>[];
  stop(): Promise<void>;
}

export interface OperatorOptions {
  /** Out of the packaged image, confined as the chart says, with the rights of the chart; or straight from the bundle. */
  readonly from?: 'image' | 'bundle';
}

/** In UML a pass through all stages takes seconds, on a machine with other work many of them. */
const PATIENCE_MS = 120_000;

/** Starts nothing yet. The bundle must have been made: `npm run bundle`. */
export function operator(lab: Lab, { from = 'image' }: OperatorOptions = {}): Operator {
  const { admin } = lab.cluster;
  const programs = from === 'image' ? imagePrograms(lab) : bundlePrograms(lab);
  const agents = new Map<LabHost, Promise<Program>>();
  const logs = new Map<LabHost, string>();
  let manager: Promise<Program> | undefined;
  let starts = 0;
  /** Who waits for a policy learns at once that something could not be started. */
  const { promise: broken, reject: breakDown } = Promise.withResolvers<never>();
  broken.catch(() => undefined);
  const watched = (starting: Promise<Program>): Promise<Program> => {
    starting.catch(breakDown);
    return starting;
  };

  const condition: Operator['condition'] = async (policy, type) => {
    const object = (await admin.get(POLICIES, { name: policy })) as {
      metadata: { generation: number };
      status?: { conditions?: ConditionText[] };
    };
    const found = object.status?.conditions?.find((entry) => entry.type === type);
    return found?.observedGeneration === object.metadata.generation ? found : undefined;
  };
  const childrenOn: Operator['childrenOn'] = async (host) =>
    childrenIn(await lab.swanctl(host, '--list-conns'));
  const op: Operator = {
    startManager: (env = {}) => {
      manager = watched(
        programs.manager({
          logFile: join(lab.dir, 'manager.log'),
          env: { POD_NAME: `manager-${++starts}`, HEALTH_PORT: '0', LEASE_SECONDS: '5', ...env },
        }),
      );
    },
    killManager: (signal = 'SIGKILL') => end(manager, signal),
    pauseManager: async () => {
      const paused = await manager;
      if (paused === undefined) throw new Error('there is no manager');
      await paused.signal('SIGSTOP');
      return async () => {
        await paused.signal('SIGCONT');
        return paused;
      };
    },
    startAgent: (host, env = {}) => {
      const logFile = join(lab.dir, `agent-${host}-${++starts}.log`);
      logs.set(host, logFile);
      agents.set(host, watched(programs.agent(host, { logFile, env })));
    },
    killAgent: (host, signal = 'SIGKILL') => end(agents.get(host), signal),
    applyPolicy: async (name, rows) => {
      await lab.api.apply({
        apiVersion: 'starlingx.io/v1',
        kind: 'IPsecPolicy',
        metadata: { name },
        spec: { policies: rows },
      });
    },
    deletePolicy: (name) => admin.delete(POLICIES, { name }),
    condition,
    untilProgrammed: async (policy) => {
      let last: ConditionText | undefined;
      const isProgrammed = until(
        `${policy} is Programmed`,
        async () => (last = await condition(policy, 'Programmed'))?.status === 'True',
        PATIENCE_MS,
      );
      await Promise.race([isProgrammed, broken]).catch((error: unknown) => {
        throw new Error(`${String(error)}; it says ${JSON.stringify(last)}`);
      });
    },
    untilSays: async (policy, type, text) => {
      await until(
        `${policy} says "${text}" in ${type}`,
        async () => (await condition(policy, type))?.message.includes(text) === true,
        PATIENCE_MS,
      );
    },
    untilNothingLeft: async () => {
      const nothing = async (): Promise<boolean> => {
        if ((await admin.list(SHARDS, {})).items.length > 0) return false;
        const children = await Promise.all(HOST_NAMES.map(childrenOn));
        return children.flat().length === 0;
      };
      await until('nothing of ours is left', nothing, PATIENCE_MS);
    },
    childrenOn,
    agentLog: (host) => readLog(logs.get(host)),
    stop: async () => {
      await Promise.all([...HOST_NAMES.map((host) => op.killAgent(host)), op.killManager()]);
    },
  };
  return op;
}

/** The chart's terminationGracePeriodSeconds. */
const GRACE_MS = 10_000;

/**
 * What could not be started has been reported to who waited for it. As a kubelet does, SIGKILL follows: the first process of a
 * container does not end by a SIGTERM that comes before it listens for one.
 */
async function end(starting: Promise<Program> | undefined, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const program = await starting?.catch(() => undefined);
  if (program === undefined) return;
  await program.signal(signal);
  const timer = setTimeout(() => void program.signal('SIGKILL'), GRACE_MS);
  await program.ended();
  clearTimeout(timer);
}

/** `swanctl --list-conns`: a connection at the margin, its children two spaces in, before their mode. */
function childrenIn(listing: string): string[] {
  const found: string[] = [];
  let connection = '';
  for (const line of listing.split('\n')) {
    connection = /^(\S+): IKE/.exec(line)?.[1] ?? connection;
    const child = /^ {2}(\S+): (?:TUNNEL|PASS|TRANSPORT)/.exec(line)?.[1];
    if (child !== undefined && connection.startsWith('k8s-node-')) found.push(`${connection}/${child}`);
  }
  return found.sort();
}

function readLog(file: string | undefined): Readonly<Record<string, unknown>>[] {
  if (file === undefined || !existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
