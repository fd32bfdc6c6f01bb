// What suites lean on works as they think: traffic of every protocol and family, blocks and borrowed addresses, cuts,
// charon's ends and returns, certificates. Without any part of our application.
import { expect } from 'chai';
import { startLab, type Lab } from './lab/lab.ts';
import { HOST_NAMES, HOSTS } from './lab/topology.ts';

const SERVER = ['172.16.192.80', 'fd00:172:16:0:8e22:765f:6121:eb50'] as const;
const CLIENT = ['172.16.43.10', 'fd00:172:16:0:d01e:82a4:1c34:6bd0'] as const;

describe("the lab's tools", () => {
  let lab: Lab;

  before(async function () {
    this.timeout(120_000);
    lab = await startLab({ kubeProxy: false, keys: 'ecdsa' });
    await lab.addPod({ host: 'controller-0', name: 'server', addresses: SERVER });
    await lab.addPod({ host: 'worker-0', name: 'client', addresses: CLIENT });
  });

  after(() => (lab as Lab | undefined)?.stop());

  const talkTo = (address: string, port: number): Parameters<Lab['talk']>[0] => ({
    from: 'default/client',
    source: address.includes(':') ? CLIENT[1] : CLIENT[0],
    protocol: 'udp',
    address,
    port,
  });

  for (const protocol of ['udp', 'tcp', 'sctp'] as const)
    for (const [family, address] of [...SERVER.entries()])
      it(`counts messages over ${protocol}, IPv${family === 0 ? 4 : 6}`, async () => {
        await lab.serveEcho('default/server', protocol, address, 7946);
        const capture = await lab.capture();
        const result = await lab.talk({ ...talkTo(address, 7946), protocol, sourcePort: 7946 });
        expect(result).deep.equal({ sent: 10, received: 10, lost: [], error: null });
        const wire = await capture.stop();
        expect(wire.plaintext.length).least(20);
        expect(wire.esp).empty;
      });

  it('loses what is sent while the network is cut, and tells which', async () => {
    await lab.cutNetwork('controller-0', 'worker-0');
    const lost = await lab.talk({ ...talkTo(SERVER[0], 7946), count: 3, lingerMs: 200 });
    expect(lost.lost).deep.equal([0, 1, 2]);
    await lab.healNetwork('controller-0', 'worker-0');
    expect((await lab.talk(talkTo(SERVER[0], 7946))).lost).empty;
  });

  it('gives a host a second block, and a pod an address that it borrows', async () => {
    await lab.addBlock('worker-0', '172.16.43.64/26');
    await lab.addPod({ host: 'worker-0', name: 'second-block', addresses: ['172.16.43.65'] });
    await lab.addPod({ host: 'controller-1', name: 'borrower', addresses: ['172.16.192.81'] });
    for (const [name, source] of [
      ['second-block', '172.16.43.65'],
      ['borrower', '172.16.192.81'],
    ] as const) {
      const result = await lab.talk({ ...talkTo(SERVER[0], 7946), from: `default/${name}`, source });
      expect(result.lost, name).empty;
    }
    const block = await lab.api.get('/apis/crd.projectcalico.org/v1/ipamblocks/172-16-192-64-26');
    const { allocations, attributes } = block['spec'] as {
      allocations: (number | null)[];
      attributes: { secondary: { node: string } }[];
    };
    const nodeOf = (ordinal: number): string | undefined =>
      attributes[allocations[ordinal] ?? -1]?.secondary.node;
    expect([nodeOf(16), nodeOf(17), nodeOf(18)]).deep.equal(['controller-0', 'controller-1', undefined]);
  });

  it('removes a pod and makes one of the same name again', async () => {
    await lab.removePod('default/borrower');
    await lab.addPod({ host: 'worker-0', name: 'borrower', addresses: ['172.16.43.11'], ready: false });
    const source = '172.16.43.11';
    expect((await lab.talk({ ...talkTo(SERVER[0], 7946), from: 'default/borrower', source })).lost).empty;
  });

  it('restarts charon as pmon does, with everything of the platform loaded again', async () => {
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await lab.restartCharon('worker-0', signal);
      expect(await lab.swanctl('worker-0', '--list-conns')).match(/^system-nodes: IKEv1\/2/m);
    }
  });

  it('renews a certificate without a change to what is loaded', async () => {
    const path = '/etc/swanctl/x509/system-ipsec-certificate-controller-1.crt';
    const conns = await lab.swanctl('controller-1', '--list-conns');
    const before = await lab.readFile('controller-1', path);
    await lab.renewCertificate('controller-1');
    expect(await lab.readFile('controller-1', path)).not.equal(before);
    expect(await lab.swanctl('controller-1', '--list-conns')).equal(conns);
    const certificates = await lab.swanctl('controller-1', '--list-certs', '--type', 'x509');
    expect(certificates.match(/CN=ipsec-controller-1/g)).length(1);
  });

  it('shows what the kernel dropped', async () => {
    // A trap on one side alone: the other side's unprotected packets are not accepted (XfrmInTmplMismatch).
    const file = `connections { probe { remote_addrs = ${HOSTS['worker-0'].cluster}
      children { probe { start_action = trap, local_ts = ${SERVER[0]}/32[udp/7946], remote_ts = ${CLIENT[0]}/32[udp] } } } }`;
    await lab.writeFiles('controller-0', {
      '/etc/swanctl/conf.d/probe.conf': file
        .replaceAll(', ', '\n')
        .replaceAll('{', '{\n')
        .replaceAll('}', '\n}\n'),
    });
    await lab.swanctl('controller-0', '--load-conns');
    const { lost } = await lab.talk({ ...talkTo(SERVER[0], 7946), count: 5, lingerMs: 200 });
    expect(lost).length(5);
    const stat = await lab.xfrmStat('controller-0');
    expect(stat['XfrmInTmplMismatch'] ?? 0, JSON.stringify(stat)).least(5);
  });

  it('separates hosts: each sees its own charon, name and addresses', async () => {
    for (const host of HOST_NAMES) {
      const addresses = await lab.run(host, ['bash', '-c', 'hostname; ip -br addr show cluster']);
      expect(addresses).match(new RegExp(`^${host}\n.*${HOSTS[host].cluster}/24`));
    }
  });
});
