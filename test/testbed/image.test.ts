// The image that ships, in use: manager and agents out of it, confined and entitled as the chart says and no more, with the policy
// of the description in force; nft works in it, and a charon that comes back is found through the mounted folder.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { REPORTS } from '../../app/kubernetes/resources.ts';
import { until } from '../support/until.ts';
import { startLab, type Lab } from './lab/lab.ts';
import { operator, type Operator, type PolicyRow } from './lab/operator.ts';
import { SEED_DNS } from './lab/seed-conf.ts';
import { addSeedServices, askEveryServer, clientOf, DNS_NAME } from './lab/seed-services.ts';
import { HOST_NAMES, type LabHost } from './lab/topology.ts';

const SAMPLE = 'docs/samples/ipsecpolicy-kube-dns.yaml';
const POLICY = 'ipsecpolicy-kube-dns-sample';
/** capabilities(7): the bit of CAP_NET_ADMIN alone. */
const NET_ADMIN = '0000000000001000';
const NONE = '0000000000000000';

describe('the packaged image', () => {
  let lab: Lab;
  let op: Operator;

  before(async function () {
    this.timeout(300_000);
    lab = await startLab();
    op = operator(lab, { from: 'image' });
    await addSeedServices(lab);
    op.startManager();
    for (const host of HOST_NAMES) op.startAgent(host);
    const { spec } = load(readFileSync(SAMPLE, 'utf8')) as { spec: { policies: PolicyRow[] } };
    await op.applyPolicy(POLICY, spec.policies);
  });

  after(async () => {
    await op.stop();
    await lab.stop();
  });

  it('puts the policy of the description in force: DNS in ESP, nothing of it in plaintext', async () => {
    await op.untilProgrammed(POLICY);
    const capture = await lab.capture();
    expect(await askEveryServer(lab)).to.equal(6);
    const { plaintext, esp } = await capture.stop();
    expect(plaintext).to.deep.equal([]);
    expect(esp.length).to.be.at.least(8);
  });

  it('warns of nothing: its nft and charon work as they should', () => {
    const problems = HOST_NAMES.flatMap((host) => op.agentLog(host)).filter(
      ({ level }) => level === 'warn' || level === 'error',
    );
    expect(problems).to.deep.equal([]);
  });

  it('writes the file of connections and the reports as the service account of the chart', async () => {
    for (const host of HOST_NAMES) {
      expect(await lab.readFile(host, '/etc/swanctl/conf.d/k8s-nodes.conf')).to.include('udp_kube-dns_');
      const report = await lab.cluster.admin.get(REPORTS, { name: host });
      expect((report as { status?: { charonVersion?: string } }).status?.charonVersion).to.equal('5.9.8');
    }
    const agents = await agentsByHost();
    for (const pid of agents.values()) {
      const variables = (await lab.readFile('guest', `/proc/${pid}/environ`)).split('\0');
      expect(variables).to.include('VICI_SOCKET=/host/run/charon.vici');
      expect(variables.filter((text) => text.startsWith('KUBECONFIG'))).to.deep.equal([]);
    }
  });

  it('an agent has one capability, no way to more, and cannot write its own root', async () => {
    const agents = await agentsByHost();
    expect([...agents.keys()]).to.have.members([...HOST_NAMES]);
    for (const pid of agents.values()) {
      expect(statusOf(await lab.readFile('guest', `/proc/${pid}/status`))).to.deep.equal({
        user: 0,
        effective: NET_ADMIN,
        bounding: NET_ADMIN,
        ambient: NONE,
        noNewPrivileges: '1',
        seccomp: '2',
      });
      const mounts = mountsOf(await lab.readFile('guest', `/proc/${pid}/mountinfo`));
      expect(mounts.get('/')).to.include('ro');
      expect(mounts.get('/host/run')).to.include('ro');
      expect(mounts.get('/etc/swanctl/conf.d')).to.include('rw');
      expect(mounts.get('/var/run/secrets/kubernetes.io/serviceaccount')).to.include('ro');
      expect(writable(mounts)).to.deep.equal(['/etc/swanctl/conf.d']);
    }
  });

  it('the manager is nobody, without any capability', async () => {
    const pid = execFileSync('pgrep', ['-f', 'ipsec-policy-operator.mjs manager'], {
      encoding: 'utf8',
    }).trim();
    expect(statusOf(await readFile(`/proc/${pid}/status`, 'utf8'))).to.deep.include({
      user: 65532,
      effective: NONE,
      bounding: NONE,
      ambient: NONE,
      noNewPrivileges: '1',
    });
    expect(mountsOf(await readFile(`/proc/${pid}/mountinfo`, 'utf8')).get('/')).to.include('ro');
  });

  it("the image's nft holds what has no tunnel, and a new charon is found through its folder", async () => {
    const { host, address } = SEED_DNS[0]!;
    const client: LabHost = 'worker-0';
    const ask = (tries: number): Promise<boolean> =>
      lab.resolveDns(`default/${clientOf(client)}`, address, DNS_NAME, { tries }).then(
        () => true,
        () => false,
      );
    await lab.killCharon(client, 'SIGTERM');
    expect(await lab.run(client, ['ip', 'xfrm', 'policy', 'list', 'dst', `${address}/32`])).to.equal('');
    const capture = await lab.capture();
    expect(await ask(2), `an answer of ${host} without a tunnel`).to.equal(false);
    expect((await capture.stop()).plaintext).to.deep.equal([]);
    await lab.restartCharon(client);
    await until('DNS is answered again', () => ask(1), 60_000);
    const after = await lab.capture();
    expect(await ask(3)).to.equal(true);
    const { plaintext, esp } = await after.stop();
    expect(plaintext).to.deep.equal([]);
    expect(esp.length).to.be.at.least(2);
  });

  /** By the name in their environment, as IDs in the guest. */
  async function agentsByHost(): Promise<ReadonlyMap<string, string>> {
    const found = await lab.run('guest', ['pgrep', '-f', 'ipsec-policy-operator.mjs agent']);
    const named = await Promise.all(
      found
        .trim()
        .split('\n')
        .map(async (pid) => {
          const variables = (await lab.readFile('guest', `/proc/${pid}/environ`)).split('\0');
          const name = variables.find((text) => text.startsWith('NODE_NAME='))?.slice('NODE_NAME='.length);
          return [name ?? '', pid] as const;
        }),
    );
    return new Map(named);
  }
});

/** Of /proc/PID/status. */
function statusOf(text: string): object {
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(text)?.[1] ?? '';
  return {
    user: Number(field('Uid')),
    effective: field('CapEff'),
    bounding: field('CapBnd'),
    ambient: field('CapAmb'),
    noNewPrivileges: field('NoNewPrivs'),
    seccomp: field('Seccomp'),
  };
}

/** Options by mount point, of /proc/PID/mountinfo. */
function mountsOf(text: string): ReadonlyMap<string, readonly string[]> {
  const rows = text
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  return new Map(rows.map((row) => [row[4] ?? '', (row[5] ?? '').split(',')]));
}

/** Beside the kernel's own, which every container has. */
function writable(mounts: ReadonlyMap<string, readonly string[]>): string[] {
  return [...mounts]
    .filter(([point, options]) => options.includes('rw') && !/^\/(proc|dev)(\/|$)/.test(point))
    .map(([point]) => point);
}
