// What the rows of the matrix stand on: a lab with our application on all hosts, two services with a server each, clients on
// every host, and a port that no policy ever names. Which event a row is about is in the suites.
import { startLab, type Lab, type LabOptions } from '../lab/lab.ts';
import { serveFlows, type FlowSpec } from '../lab/flow.ts';
import { operator, type Operator, type PolicyRow } from '../lab/operator.ts';
import type { PodKey } from '../lab/places.ts';
import { HOST_NAMES, HOSTS, type LabHost } from '../lab/topology.ts';

export interface Ground {
  readonly lab: Lab;
  readonly op: Operator;
  close(): Promise<void>;
}

export interface GroundOptions extends LabOptions {
  /** Settings of the manager, by their variables. */
  readonly manager?: Readonly<Record<string, string>>;
}

type Family = 4 | 6;
interface Server {
  readonly host: LabHost;
  readonly pod: PodKey;
  readonly addresses: Readonly<Record<Family, string>>;
}

/** One pod each behind the services `first` and `second`. */
export const SERVERS = {
  first: server('controller-0', 'first', '172.16.192.100', 'eb60'),
  second: server('controller-1', 'second', '172.16.166.150', 'e310'),
} as const;

export const CLIENT_ADDRESSES: Readonly<Record<LabHost, Readonly<Record<Family, string>>>> = {
  'controller-0': addresses('controller-0', '172.16.192.125', 'eb50'),
  'controller-1': addresses('controller-1', '172.16.166.189', 'e311'),
  'worker-0': addresses('worker-0', '172.16.43.62', '6bd0'),
};

/** Of both services. */
export const PORTS = { main: 6001, other: 6002, tcp: 6003 } as const;
/** Of the same pods, and of no service. */
export const CONTROL_PORT = 6999;

/** A row of a policy for one of the services. */
export function policyRow(service: string, ports: string): PolicyRow {
  return { name: service, servicename: service, servicens: 'default', serviceports: ports };
}

/** From a host's client to the server of a service. */
export function flowTo(
  service: keyof typeof SERVERS,
  from: LabHost,
  { port = PORTS.main, family = 4, protocol = 'udp' }: FlowChoice = {},
): FlowSpec {
  const [source, address] = [CLIENT_ADDRESSES[from][family], SERVERS[service].addresses[family]];
  return { from: `default/client-${from}`, source, protocol, address, port };
}

export interface FlowChoice {
  readonly port?: number;
  readonly family?: Family;
  readonly protocol?: 'udp' | 'tcp';
}

/** Resolves when everything runs; there is no policy yet. */
export async function openGround({ manager, ...options }: GroundOptions = {}): Promise<Ground> {
  // The guest has one processor: only suites that need cluster IPs have kube-proxies.
  const lab = await startLab({ kubeProxy: false, ...options });
  const op = operator(lab);
  const close = async (): Promise<void> => {
    await op.stop();
    await lab.stop();
  };
  try {
    // So that the one processor of the guest, busy with a handshake, makes flows wait and does not drop them.
    await lab.run('guest', [
      'sysctl',
      '-qw',
      'net.core.netdev_max_backlog=20000',
      'net.core.rmem_max=4194304',
    ]);
    op.startManager(manager);
    for (const host of HOST_NAMES) op.startAgent(host);
    for (const host of HOST_NAMES)
      await lab.addPod({ host, name: `client-${host}`, addresses: both(CLIENT_ADDRESSES[host]) });
    for (const name of ['first', 'second'] as const) {
      await lab.addService({ ...SERVICE, name, selector: { app: name } });
      await addServer(lab, SERVERS[name].host, name, SERVERS[name].addresses, { app: name });
    }
    return { lab, op, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const SERVICE = {
  ports: [
    { port: PORTS.main, protocol: 'UDP' },
    { port: PORTS.other, protocol: 'UDP' },
    { port: PORTS.tcp, protocol: 'TCP' },
  ],
  spec: { ipFamilyPolicy: 'RequireDualStack' },
} as const;

/** A pod that answers on every port, the control's too. */
export async function addServer(
  lab: Lab,
  host: LabHost,
  name: string,
  pod: Readonly<Partial<Record<Family, string>>>,
  labels: Readonly<Record<string, string>>,
  ready = true,
): Promise<PodKey> {
  const key = await lab.addPod({ host, name, addresses: both(pod), labels, ready });
  await serveAll(lab, key, pod);
  return key;
}

export async function serveAll(
  lab: Lab,
  key: PodKey,
  pod: Readonly<Partial<Record<Family, string>>>,
): Promise<void> {
  for (const address of both(pod)) {
    for (const port of [PORTS.main, PORTS.other, CONTROL_PORT])
      await serveFlows(lab, key, { protocol: 'udp', address, port });
    await serveFlows(lab, key, { protocol: 'tcp', address, port: PORTS.tcp });
  }
}

function both(pod: Readonly<Partial<Record<Family, string>>>): string[] {
  return [pod[4], pod[6]].filter((address) => address !== undefined);
}

function server(host: LabHost, name: string, four: string, six: string): Server {
  return { host, pod: `default/${name}`, addresses: addresses(host, four, six) };
}

export function addresses(host: LabHost, four: string, six: string): Record<Family, string> {
  return { 4: four, 6: HOSTS[host].blocks[1].replace(/[0-9a-f]+\/122$/, six) };
}
