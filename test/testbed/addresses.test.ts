// Where pods have their addresses from: second blocks, addresses borrowed from another host's block, IPv6. Which children the
// hosts load for them, that traffic is in ESP, and that what stays local is not caught.
import { expect } from 'chai';
import { CLIENTS, openScene, type Flow, type Scene } from './lab/scene.ts';
import { HOST_NAMES, HOSTS, type LabHost } from './lab/topology.ts';
import type { Talk } from './lab/traffic.ts';

const SERVER = {
  host: 'controller-1',
  address: '172.16.166.150',
  address6: inBlock('controller-1', 'e310'),
} as const;
const PORT = 7100;
const SECOND_BLOCK = '172.16.43.64/26';
const CLIENT_IN_SECOND_BLOCK = { from: 'default/in-second-block', source: '172.16.43.70' } as const;
/** Out of controller-0's block, used elsewhere. */
const BORROWED_BY_WORKER = { from: 'default/borrower', source: '172.16.192.90' } as const;
const BORROWED_BY_SERVER_HOST = { from: 'default/local-borrower', source: '172.16.192.91' } as const;
const BORROWED_ENDPOINT = { host: 'worker-0', address: '172.16.192.92' } as const;

const CLIENTS6: Readonly<Record<LabHost, Pick<Talk, 'from' | 'source'>>> = {
  'controller-0': { from: 'default/six-controller-0', source: inBlock('controller-0', 'eb50') },
  'controller-1': { from: 'default/six-controller-1', source: inBlock('controller-1', 'e311') },
  'worker-0': { from: 'default/six-worker-0', source: inBlock('worker-0', '6bd0') },
};

describe('addresses', () => {
  let scene: Scene;
  /** The flows of the service towards its first endpoint, from all first blocks. */
  const first = flows('udp_echo', SERVER.host, SERVER.address);

  before(async function () {
    this.timeout(240_000);
    scene = await openScene();
    const { lab, op } = scene;
    const pod = await lab.addPod({
      host: SERVER.host,
      name: 'server',
      addresses: [SERVER.address, SERVER.address6],
      labels: { echo: 'yes', dual: 'yes' },
    });
    await lab.serveEcho(pod, 'udp', SERVER.address, PORT);
    await lab.serveEcho(pod, 'udp', SERVER.address6, PORT);
    await lab.addService({
      name: 'echo',
      selector: { echo: 'yes' },
      ports: [{ port: PORT, protocol: 'UDP' }],
    });
    await op.applyPolicy('echo', [row('echo')]);
    await scene.untilCondition('echo', 'Programmed', 'True');
    await scene.untilFlows(/_echo_/, first);
    await scene.expectInEsp([talk(CLIENTS['worker-0']), talk(CLIENTS['controller-0'])]);
  });
  afterEach(async () => scene.expectUntouched());
  after(async () => scene.close());

  it('in a second block of a host: its pods are clients too, and the first block notices nothing', async () => {
    const before = await scene.spisOf(/_echo_/);
    await scene.lab.addBlock('worker-0', SECOND_BLOCK);
    await scene.untilFlows(/_echo_/, [...first, flow('udp_echo', SERVER, 'worker-0', SECOND_BLOCK, '-2')]);
    await addClient('worker-0', CLIENT_IN_SECOND_BLOCK);
    await scene.expectInEsp([talk(CLIENT_IN_SECOND_BLOCK), talk(CLIENTS['worker-0'])]);
    expect(await scene.spisOf(/_echo_(egress|ingress)$/)).to.deep.equal(before);
    await scene.lab.removePod(CLIENT_IN_SECOND_BLOCK.from);
    await scene.lab.removeBlock(SECOND_BLOCK);
    await scene.untilFlows(/_echo_/, first);
    await scene.untilSettled();
    expect(await scene.spisOf(/_echo_/)).to.deep.equal(before);
  });

  it('borrowed by a client: it belongs to the host that uses it', async () => {
    await addClient('worker-0', BORROWED_BY_WORKER);
    const own = flow('udp_echo', SERVER, 'worker-0', `${BORROWED_BY_WORKER.source}/32`, '-2');
    await scene.untilFlows(/_echo_/, [...first, own]);
    await scene.expectInEsp([talk(BORROWED_BY_WORKER), talk(CLIENTS['controller-0'])]);
    await scene.lab.removePod(BORROWED_BY_WORKER.from);
    await scene.untilFlows(/_echo_/, first);
  });

  it("borrowed on the endpoint's own host: it talks past IPsec, and nothing of it leaves the host", async () => {
    await addClient(SERVER.host, BORROWED_BY_SERVER_HOST);
    const pass = `local/udp_echo_ingress ${SERVER.address}/32[udp/${PORT}] ${BORROWED_BY_SERVER_HOST.source}/32[udp]`;
    await scene.untilFlows(/_echo_/, first, { [SERVER.host]: [pass] });
    const capture = await scene.lab.capture();
    const result = await scene.lab.talk(talk(BORROWED_BY_SERVER_HOST));
    const { plaintext, esp } = await capture.stop();
    expect(result).to.include({ sent: 10, received: 10, error: null });
    expect([plaintext, esp]).to.deep.equal([[], []]);
    await scene.expectInEsp([talk(CLIENTS['controller-0'])]);
    await scene.lab.removePod(BORROWED_BY_SERVER_HOST.from);
    await scene.untilFlows(/_echo_/, first);
  });

  it('borrowed by an endpoint: clients in the block it is from reach it in a tunnel', async () => {
    const pod = await scene.lab.addPod({
      host: BORROWED_ENDPOINT.host,
      name: 'borrowing-server',
      addresses: [BORROWED_ENDPOINT.address],
      labels: { lent: 'yes' },
    });
    await scene.lab.serveEcho(pod, 'udp', BORROWED_ENDPOINT.address, PORT);
    await scene.lab.addService({
      name: 'lent',
      selector: { lent: 'yes' },
      ports: [{ port: PORT, protocol: 'UDP' }],
    });
    await scene.op.applyPolicy('lent', [row('lent')]);
    await scene.untilCondition('lent', 'Programmed', 'True');
    await scene.untilFlows(/_lent_/, flows('udp_lent', BORROWED_ENDPOINT.host, BORROWED_ENDPOINT.address));
    const { address } = BORROWED_ENDPOINT;
    await scene.expectInEsp([
      { ...talk(CLIENTS['controller-0']), address },
      { ...talk(CLIENTS['controller-1']), address },
    ]);
    await scene.op.deletePolicy('lent');
    await scene.lab.removePod('default/borrowing-server');
    await scene.untilFlows(/_(echo|lent)_/, first);
  });

  it('of both families: IPv6 in connections of its own, SAs between IPv6 addresses', async () => {
    for (const host of HOST_NAMES) await addClient(host, CLIENTS6[host]);
    await scene.lab.addService({
      name: 'dual',
      selector: { dual: 'yes' },
      ports: [{ port: PORT, protocol: 'UDP' }],
      spec: { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] },
    });
    await scene.op.applyPolicy('dual', [row('dual')]);
    await scene.untilCondition('dual', 'Programmed', 'True');
    const flows6 = HOST_NAMES.filter((host) => host !== SERVER.host).map((client) =>
      flow('udp_dual', { host: SERVER.host, address: SERVER.address6 }, client, HOSTS[client].blocks[1]),
    );
    await scene.untilFlows(/_(echo|dual)_/, [...first, ...flows6]);
    await scene.expectInEsp([
      { ...talk(CLIENTS6['worker-0']), address: SERVER.address6 },
      { ...talk(CLIENTS6['controller-0']), address: SERVER.address6 },
      talk(CLIENTS['worker-0']),
    ]);
    const sas = await scene.lab.swanctl('worker-0', '--list-sas', '--ike', `k8s-node-${SERVER.host}-ipv6`);
    expect(sas).to.include(`local  'CN=ipsec-worker-0' @ ${HOSTS['worker-0'].cluster6}[4500]`);
    expect(sas).to.include(`remote 'CN=ipsec-${SERVER.host}' @ ${HOSTS[SERVER.host].cluster6}[4500]`);
  });

  describe('when all policies are deleted', () => {
    it('leave nothing behind', async () => {
      await scene.expectAllGone();
    });
  });

  async function addClient(host: LabHost, { from, source }: Pick<Talk, 'from' | 'source'>): Promise<void> {
    await scene.lab.addPod({ host, name: from.replace('default/', ''), addresses: [source] });
  }
});

function inBlock(host: LabHost, last: string): string {
  return HOSTS[host].blocks[1].replace(/[0-9a-f]+\/122$/, last);
}

function row(servicename: string): {
  name: string;
  servicename: string;
  servicens: string;
  serviceports: string;
} {
  return { name: servicename, servicename, servicens: 'default', serviceports: `udp/${PORT}` };
}

function talk(client: Pick<Talk, 'from' | 'source'>): Talk {
  return { ...client, protocol: 'udp', address: SERVER.address, port: PORT };
}

function flow(
  name: string,
  { host, address }: { readonly host: LabHost; readonly address: string },
  client: LabHost,
  clientPrefix: string,
  suffix = '',
): Flow {
  return { name, suffix, host, endpoint: address, port: `udp/${PORT}`, client, clientPrefix };
}

/** From the first IPv4 blocks of all other hosts. */
function flows(name: string, host: LabHost, address: string): Flow[] {
  return HOST_NAMES.filter((client) => client !== host).map((client) =>
    flow(name, { host, address }, client, HOSTS[client].blocks[0]),
  );
}
