// The lab proves itself, without any part of our application: with a hand-written k8s-nodes.conf the hosts do what
// the seed shows, nothing of it is in plaintext on the wire, and without the file the capture does see plaintext.
import { expect } from 'chai';
import { startLab, type Lab } from './lab/lab.ts';
import { SEED_DNS, seedConf, selectors, VIEWS } from './lab/seed-conf.ts';
import { addSeedServices, askEveryServer, clientOf, DNS_ANSWER, DNS_NAME } from './lab/seed-services.ts';
import { HOST_NAMES, HOSTS } from './lab/topology.ts';

const SEED_FILE = '/etc/swanctl/conf.d/k8s-nodes.conf';

describe('the lab', () => {
  let lab: Lab;
  let dnsClusterIp: string;

  before(async function () {
    this.timeout(120_000);
    lab = await startLab();
    ({ dnsClusterIp } = await addSeedServices(lab));
  });

  after(async function () {
    if (this.currentTest?.isFailed() === true) console.error(lab.guest.logTail());
    await (lab as Lab | undefined)?.stop();
  });

  async function loadSeed(): Promise<void> {
    for (const host of HOST_NAMES) {
      await lab.writeFiles(host, { [SEED_FILE]: seedConf(host) });
      await lab.swanctl(host, '--load-conns');
    }
  }

  it('has two system-nodes SAs with every peer', async () => {
    for (const host of HOST_NAMES) {
      const sas = await lab.swanctl(host, '--list-sas');
      expect(sas.match(/^system-nodes: .*ESTABLISHED/gm), `${host}\n${sas}`).length(4);
    }
  });

  it('runs Node on a host, where it reaches the API server and charon', async () => {
    const program = `
      import { readdirSync } from 'node:fs';
      const version = await fetch('${lab.cluster.url}/version').then((answer) => answer.json());
      console.log(version.gitVersion, readdirSync('/var/run').includes('charon.vici'), process.env.NODE_NAME);`;
    const argv = [process.execPath, '--input-type=module', '-e', program];
    const env = { NODE_EXTRA_CA_CERTS: lab.cluster.caFile, NODE_NAME: 'worker-0' };
    expect(await lab.run('worker-0', argv, { env })).match(/^v1\.34\.\d+ true worker-0\n$/);
  });

  it('lets the real controller make the slices of kube-dns', async () => {
    const slices = await lab.api.list('/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices');
    const addresses = slices.flatMap((slice) =>
      (slice['endpoints'] as { addresses: string[] }[]).flatMap((endpoint) => endpoint.addresses),
    );
    expect(addresses).members(SEED_DNS.map(({ address }) => address));
  });

  it('sees DNS between hosts in plaintext without our file', async () => {
    const capture = await lab.capture();
    expect(await askEveryServer(lab)).equal(6);
    const wire = await capture.stop();
    // Four of the six client and server pairs are on different hosts.
    expect(wire.plaintext).length(8);
    expect(wire.esp).empty;
  });

  it('carries all DNS between hosts in ESP with the seed configuration', async () => {
    await loadSeed();
    const capture = await lab.capture();
    expect(await askEveryServer(lab)).equal(6);
    const wire = await capture.stop();
    expect(wire.plaintext).deep.equal([]);
    expect(wire.esp.length).within(8, 12);
  });

  it('lists the SAs of the seed, all six views', async () => {
    for (const [host, peer, directions] of VIEWS) {
      const sas = await lab.swanctl(host, '--list-sas', '--ike', `k8s-node-${peer}`);
      expect(sas).match(new RegExp(`^k8s-node-${peer}: #\\d+, ESTABLISHED, IKEv2`));
      expect(sas).include(`local  'CN=ipsec-${host}' @ ${HOSTS[host].cluster}[4500]`);
      expect(sas).include(`remote 'CN=ipsec-${peer}' @ ${HOSTS[peer].cluster}[4500]`);
      expect(sas).include('AES_CBC-128/HMAC_SHA2_256_128/PRF_AES128_XCBC/MODP_3072');
      const children = [
        ...sas.matchAll(/^ {2}(\S+): #\d+, reqid \d+, INSTALLED, TUNNEL, ESP:AES_GCM_16-128$/gm),
      ];
      expect(children.map(([, name]) => name)).members(
        directions.map((direction) => `udp_kube-dns_${direction}`),
      );
      for (const direction of directions) expect(sas).include(selectors(host, peer, direction));
    }
  });

  it('reaches the DNS servers by the cluster IP, in ESP too', async () => {
    await lab.kubeProxies?.ready(dnsClusterIp, 53);
    const capture = await lab.capture();
    for (let time = 0; time < 4; time++)
      expect(await lab.resolveDns(`default/${clientOf('worker-0')}`, dnsClusterIp, DNS_NAME)).deep.equal(
        DNS_ANSWER,
      );
    const wire = await capture.stop();
    expect(wire.plaintext).deep.equal([]);
    expect(wire.esp.length).within(8, 10);
  });

  it('leaves a port that is not in the configuration in plaintext', async () => {
    const [server] = SEED_DNS;
    const capture = await lab.capture();
    await lab.resolveDns(`default/${clientOf('worker-0')}`, server!.address, DNS_NAME, { protocol: 'tcp' });
    const wire = await capture.stop();
    expect(wire.esp).empty;
    expect(wire.plaintext.length).greaterThan(4);
  });
});
