// The lab in which faults are made: one service, a pod that answers on one host, a pod that asks on another, a policy. What makes a
// fault is acts.ts, what is seen of it signs.ts.
import { until } from '../../support/until.ts';
import { setAgentReady } from '../lab/agent-ready.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { operator, type Operator } from '../lab/operator.ts';
import type { RunningTalk, Talk } from '../lab/traffic.ts';
import { HOST_NAMES, HOSTS, type LabHost } from '../lab/topology.ts';
import { CLIENT_HOST, POLICY, SERVER_HOST } from './table.ts';

export const SERVER = { pod: 'default/web', address: '172.16.192.100' } as const;
export const CLIENT = { from: 'default/client', source: '172.16.43.60' } as const;
export const PORTS = { asked: 5007, other: 5008 } as const;
const MANAGER_PORT = 19_822;
const AGENT_PORT = 9822;

export interface FaultScene {
  readonly lab: Lab;
  readonly op: Operator;
  /** Where metrics are read: `manager`, or the agent of a host. */
  readonly metricsUrl: (of: string) => string;
  readonly startAgent: (host: LabHost, env?: Readonly<Record<string, string>>) => Promise<void>;
  readonly killAgent: (host: LabHost) => Promise<void>;
  /** The policy with these ports of the service, and these rows beside. */
  readonly apply: (ports: string, more?: readonly Row[]) => Promise<void>;
  /** The client asks four times a second from now on. */
  readonly ask: () => Promise<void>;
  readonly stopAsking: () => void;
  /** One question; how many were answered. */
  readonly answered: () => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface Row {
  readonly service: string;
  readonly ports: string;
}

export const ASKED = `udp/${PORTS.asked}`;
export const BOTH = `udp/${PORTS.asked},udp/${PORTS.other}`;

/** Resolves when the policy is in force and a tunnel is in use. */
export async function openFaultScene(): Promise<FaultScene> {
  const lab = await startLab({ keys: 'ecdsa', kubeProxy: false });
  const op = operator(lab);
  const close = async (): Promise<void> => {
    await op.stop();
    await lab.stop();
  };
  try {
    const scene = sceneOf(lab, op, close);
    await furnish(scene);
    return scene;
  } catch (error) {
    await close();
    throw error;
  }
}

async function furnish({ lab, op, startAgent, apply, answered }: FaultScene): Promise<void> {
  op.startManager({ HEALTH_HOST: '127.0.0.1', HEALTH_PORT: String(MANAGER_PORT) });
  await lab.addService({
    name: 'web',
    selector: { app: 'web' },
    ports: [
      { port: PORTS.asked, protocol: 'UDP' },
      { port: PORTS.other, protocol: 'UDP' },
    ],
  });
  await lab.addPod({ host: CLIENT_HOST, name: 'client', addresses: [CLIENT.source] });
  await lab.addPod({ host: SERVER_HOST, name: 'web', addresses: [SERVER.address], labels: { app: 'web' } });
  for (const port of Object.values(PORTS)) await lab.serveEcho(SERVER.pod, 'udp', SERVER.address, port);
  await Promise.all(HOST_NAMES.map((host) => startAgent(host)));
  await apply(ASKED);
  await op.untilProgrammed(POLICY);
  await until('the client is answered', async () => (await answered()) > 0, 60_000);
}

function sceneOf(lab: Lab, op: Operator, close: () => Promise<void>): FaultScene {
  let asking: RunningTalk | undefined;
  const talk = (count: number): Talk => ({
    ...CLIENT,
    protocol: 'udp',
    address: SERVER.address,
    port: PORTS.asked,
    count,
    intervalMs: 250,
    lingerMs: 500,
  });
  return {
    lab,
    op,
    metricsUrl: (of) =>
      of === 'manager'
        ? `http://127.0.0.1:${MANAGER_PORT}/metrics`
        : `http://${HOSTS[of as LabHost].oam}:${AGENT_PORT}/metrics`,
    startAgent: async (host, env = {}) => {
      op.startAgent(host, { HEALTH_HOST: '0.0.0.0', ...env });
      await setAgentReady(lab, host, true);
    },
    killAgent: async (host) => {
      await op.killAgent(host);
      await setAgentReady(lab, host, false);
    },
    apply: (ports, more = []) =>
      op.applyPolicy(
        POLICY,
        [{ service: 'web', ports }, ...more].map((row) => ({
          name: row.service,
          servicename: row.service,
          servicens: 'default',
          serviceports: row.ports,
        })),
      ),
    ask: async () => {
      asking = await lab.startTalk(talk(100_000));
    },
    stopAsking: () => {
      asking?.stop();
      asking = undefined;
    },
    answered: async () => (await lab.talk(talk(1))).received,
    close,
  };
}
