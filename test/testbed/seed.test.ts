// The user's description, end to end: its policy, its three hosts, its views of `swanctl --list-sas`; then its update and its
// removal. Real API server, controllers, kube-proxy, charon, kernel and wire; our manager and agents.
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import { until } from '../support/until.ts';
import { startLab, type Lab } from './lab/lab.ts';
import { operator, type Operator, type PolicyRow } from './lab/operator.ts';
import { readSas, type Sa } from './lab/sas.ts';
import { SEED_DNS, selectors, VIEWS } from './lab/seed-conf.ts';
import { addSeedServices, askEveryServer, clientOf, DNS_NAME } from './lab/seed-services.ts';
import { HOST_NAMES, HOSTS, type LabHost } from './lab/topology.ts';

const SAMPLE: readonly PolicyRow[] = [
  {
    name: 'kube-dns',
    servicename: 'kube-dns',
    servicens: 'kube-system',
    serviceports: 'udp/53,tcp/53,tcp/9153',
  },
  {
    name: 'cert-manager',
    servicename: 'cm-cert-manager',
    servicens: 'cert-manager',
    serviceports: 'tcp/9402',
  },
];
const UPDATED: readonly PolicyRow[] = [{ ...SAMPLE[0]!, serviceports: 'tcp/53,tcp/9153' }, SAMPLE[1]!];
const POLICY = 'ipsecpolicy-kube-dns-sample';

describe("the seed's policy", () => {
  let lab: Lab;
  let op: Operator;
  let platformBefore: string[];

  before(async function () {
    this.timeout(180_000);
    lab = await startLab();
    op = operator(lab);
    await addSeedServices(lab);
    platformBefore = await platform();
    op.startManager();
    for (const host of HOST_NAMES) op.startAgent(host);
  });

  after(async () => {
    await op.stop();
    await lab.stop();
  });

  async function askEveryone(protocol: 'udp' | 'tcp'): Promise<void> {
    expect(await askEveryServer(lab, protocol)).to.equal(6);
  }

  /** The platform's connections and SAs, without what only time changes. */
  async function platform(): Promise<string[]> {
    return Promise.all(
      HOST_NAMES.map(async (host) => {
        const sas = await readSas(lab, host);
        const ids = sas
          .filter((sa) => sa.connection === 'system-nodes')
          .map((sa) => `${sa.uniqueId} ${sa.spis.join(' ')}`);
        const conns = (await lab.swanctl(host, '--list-conns')).split(/\n(?=\S)/);
        return [...ids, ...conns.filter((text) => !text.startsWith('k8s-node-')).map((text) => text.trim())]
          .sort()
          .join('\n');
      }),
    );
  }

  async function ourSas(): Promise<Map<LabHost, readonly Sa[]>> {
    const all = await Promise.all(HOST_NAMES.map(async (host) => [host, await readSas(lab, host)] as const));
    return new Map(
      all.map(([host, sas]) => [host, sas.filter((sa) => sa.connection.startsWith('k8s-node-'))]),
    );
  }

  it('is in force on all hosts, without an SA while there is no traffic', async () => {
    await op.applyPolicy(POLICY, SAMPLE);
    await op.untilProgrammed(POLICY);
    expect([...(await ourSas()).values()].flat()).to.deep.equal([]);
    expect(await op.childrenOn('worker-0')).to.deep.equal([
      'k8s-node-controller-0/tcp_cm-cert-manager_egress',
      'k8s-node-controller-0/tcp_kube-dns_egress',
      'k8s-node-controller-0/tcp_kube-dns_egress-2',
      'k8s-node-controller-0/udp_kube-dns_egress',
      'k8s-node-controller-1/tcp_kube-dns_egress',
      'k8s-node-controller-1/tcp_kube-dns_egress-2',
      'k8s-node-controller-1/udp_kube-dns_egress',
    ]);
  });

  it('carries DNS between hosts in ESP and nothing of it in plaintext', async () => {
    const capture = await lab.capture();
    await askEveryone('udp');
    const wire = await capture.stop();
    expect(wire.plaintext).to.deep.equal([]);
    expect(wire.esp.length).to.be.at.least(8);
  });

  for (const [host, peer, directions] of VIEWS)
    it(`shows what the description shows: ${host} towards ${peer}`, async () => {
      const sas = await lab.swanctl(host, '--list-sas', '--ike', `k8s-node-${peer}`);
      expect(sas).to.match(new RegExp(`^k8s-node-${peer}: #\\d+, ESTABLISHED, IKEv2`));
      expect(sas).to.include(`local  'CN=ipsec-${host}' @ ${HOSTS[host].cluster}[4500]`);
      expect(sas).to.include(`remote 'CN=ipsec-${peer}' @ ${HOSTS[peer].cluster}[4500]`);
      expect(sas).to.include('AES_CBC-128/HMAC_SHA2_256_128/PRF_AES128_XCBC/MODP_3072');
      const children = [
        ...sas.matchAll(/^ {2}(\S+): #\d+, reqid \d+, INSTALLED, TUNNEL, ESP:AES_GCM_16-128$/gm),
      ];
      expect(children.map(([, name]) => name)).to.have.members(
        directions.map((direction) => `udp_kube-dns_${direction}`),
      );
      for (const direction of directions) expect(sas).to.include(selectors(host, peer, direction));
    });

  it('has the lifetimes of the description', async () => {
    const conns = await lab.swanctl('worker-0', '--list-conns');
    const ours = conns.split(/\n(?=\S)/).find((text) => text.startsWith('k8s-node-controller-0:'));
    expect(ours).to.include('reauthentication every 14400s, rekeying every 3600s, dpd delay 10s');
    expect(ours).to.include('rekeying every 3600s');
  });

  it('after the update only what it removed is gone; the rest keeps its SAs', async () => {
    await askEveryone('tcp');
    const before = await ourSas();
    await op.applyPolicy(POLICY, UPDATED);
    await op.untilProgrammed(POLICY);
    await until(
      'no udp child is left',
      async () => {
        const children = (await Promise.all(HOST_NAMES.map((host) => op.childrenOn(host)))).flat();
        return !children.some((child) => child.includes('/udp_'));
      },
      30_000,
    );
    const capture = await lab.capture();
    await askEveryone('tcp');
    expect((await capture.stop()).plaintext).to.deep.equal([]);
    const after = await ourSas();
    for (const host of HOST_NAMES) {
      const tcp = (sas: readonly Sa[]): string[] =>
        sas
          .flatMap((sa) =>
            sa.children
              .filter(({ name }) => name.startsWith('tcp_'))
              .map((child) => `${child.name} ${child.spis.join(' ')}`),
          )
          .sort();
      expect(tcp(after.get(host)!), host).to.deep.equal(tcp(before.get(host)!));
      expect(
        after
          .get(host)!
          .flatMap((sa) => sa.children.map(({ name }) => name))
          .filter((name) => name.startsWith('udp_')),
      ).to.deep.equal([]);
    }
    const plain = await lab.capture();
    await lab.resolveDns(`default/${clientOf('worker-0')}`, SEED_DNS[0]!.address, DNS_NAME);
    expect((await plain.stop()).plaintext, 'udp is plain again').to.have.length(2);
  });

  it('after the removal nothing of it is left, and the platform was never touched', async () => {
    await op.deletePolicy(POLICY);
    await op.untilNothingLeft();
    await until('no SA is left', async () => [...(await ourSas()).values()].flat().length === 0, 30_000);
    for (const host of HOST_NAMES) expect(await lab.run(host, ['ls', '/etc/swanctl/conf.d'])).to.equal('');
    const capture = await lab.capture();
    await askEveryone('tcp');
    const wire = await capture.stop();
    expect(wire.esp).to.deep.equal([]);
    expect(wire.plaintext).not.to.deep.equal([]);
    // charon prints names of ports out of one buffer: while an agent lists too, a listing may lack one.
    const isAsBefore = async (): Promise<boolean> => isDeepStrictEqual(await platform(), platformBefore);
    await until('the platform is as it was', isAsBefore, 30_000);
  });
});
