// What the commands say is true: the description's policy in force on real hosts, looked at by `status` and `verify` through the API
// server; then broken by hand, one thing after the other, behind the back of an agent that was stopped, and each verdict is the
// honest one. Output is kept below $PROOF_OUTPUT, if set, for the documentation.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { serveExec, startExecKubelet, type ExecKubelet, type ExecOutcome } from '../support/exec-kubelet.ts';
import { runCommand, type Ended } from '../support/run-command.ts';
import { until } from '../support/until.ts';
import { setAgentReady } from './lab/agent-ready.ts';
import { startLab, type Lab } from './lab/lab.ts';
import { operator, type Operator } from './lab/operator.ts';
import { addSeedServices, askEveryServer, clientOf } from './lab/seed-services.ts';
import { HOST_NAMES, type LabHost } from './lab/topology.ts';

const POLICY = 'ipsecpolicy-kube-dns-sample';
const SERVICE = 'kube-system/kube-dns';
const BUNDLE = join(import.meta.dirname, '../../dist/ipsec-policy-operator.mjs');
/** Its agent is stopped while things are broken. */
const BROKEN: LabHost = 'worker-0';
const ENDPOINT = '172.16.192.115';
const PEER = 'k8s-node-controller-0';
const CHILD = 'udp_kube-dns_egress';

interface Judged {
  readonly verdict: string;
  readonly pairs: readonly {
    readonly verdict: string;
    readonly client: string;
    readonly endpoint: string;
    readonly port: string;
    readonly reason: string;
    readonly there: number;
  }[];
}

describe('what status and verify say', function () {
  this.timeout(300_000);
  let lab: Lab;
  let op: Operator;
  let kubelet: ExecKubelet;

  const command = async (name: string, ...args: string[]): Promise<Ended> => {
    const ended = await runCommand(args, { KUBECONFIG: lab.cluster.adminKubeconfig }, [
      process.execPath,
      BUNDLE,
    ]);
    const folder = process.env['PROOF_OUTPUT'];
    if (folder !== undefined) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(
        join(folder, `${name}.txt`),
        `$ ${args.join(' ')}\n${ended.stdout}${ended.stderr}exit code ${ended.code}\n`,
      );
    }
    return ended;
  };
  /** With a probe from the client of the host that is broken; gives what is said of it and the endpoint that matters. */
  const verdictOf = async (name: string, ...args: string[]): Promise<Judged['pairs'][number]> => {
    if (process.env['PROOF_OUTPUT'] !== undefined)
      await command(name, 'verify', SERVICE, '--seconds', '2', ...args);
    const { stdout, stderr } = await command(
      `${name}-json`,
      'verify',
      SERVICE,
      '--seconds',
      '2',
      '-o',
      'json',
      ...args,
    );
    expect(stdout, stderr).not.to.equal('');
    const { pairs } = JSON.parse(stdout) as Judged;
    return pairs.find(
      ({ client, endpoint, port }) => client === BROKEN && endpoint === ENDPOINT && port === 'udp/53',
    )!;
  };
  const PROBE = ['--probe-from', `default/${clientOf(BROKEN)}`];
  const signalAgent = async (name: 'STOP' | 'CONT'): Promise<void> => {
    const found = await lab.run('guest', ['pgrep', '-f', 'ipsec-policy-operator.mjs agent']);
    for (const pid of found.trim().split('\n')) {
      const variables = await lab.readFile('guest', `/proc/${pid}/environ`);
      if (variables.includes(`NODE_NAME=${BROKEN}\0`)) await lab.run('guest', ['kill', `-${name}`, pid]);
    }
  };
  const guardTable = async (): Promise<string> => {
    const tables = await lab.run(BROKEN, ['nft', 'list', 'tables', 'inet']);
    return /ipsec_policy_guard_\S+/.exec(tables)![0];
  };
  const untilProtected = (name: string): Promise<void> =>
    until(
      'all is protected again',
      async () => (await command(name, 'verify', SERVICE, '--seconds', '1', ...PROBE)).code === 0,
      120_000,
    );

  before(async function () {
    this.timeout(300_000);
    lab = await startLab();
    op = operator(lab);
    await addSeedServices(lab);
    kubelet = await startExecKubelet(join(lab.dir, 'kubelet'), (request) =>
      execInLab(lab, request.pod, request),
    );
    op.startManager();
    for (const host of HOST_NAMES) op.startAgent(host);
    for (const host of HOST_NAMES) {
      await serveExec(lab.cluster, host, kubelet.port);
      await setAgentReady(lab, host, true);
    }
  });

  after(async () => {
    await signalAgent('CONT').catch(() => undefined);
    await op.stop();
    await kubelet.stop();
    await lab.stop();
  });

  it('PLAINTEXT, as long as no policy is there', async () => {
    const { code, stdout } = await command('verify-no-policy', 'verify', SERVICE);
    expect(code).to.equal(1);
    expect(stdout).to.match(/^kube-system\/kube-dns: PLAINTEXT\n/);
  });

  it('PROTECTED with what went through the tunnels, once it is in force', async () => {
    await op.applyPolicy(POLICY, [
      { name: 'kube-dns', servicename: 'kube-dns', servicens: 'kube-system', serviceports: 'udp/53,tcp/53' },
    ]);
    await op.untilProgrammed(POLICY);
    const status = await command('status', 'status');
    expect([status.code, status.stderr]).to.deep.equal([0, '']);
    expect(status.stdout).to.match(
      /^ipsecpolicy-kube-dns-sample +in force .* 3\/3 +kube-system\/kube-dns +enforce/m,
    );
    // The first packet makes the tunnel, and is lost while it does: a probe on a slow machine would show nothing else.
    await until('the tunnels are up', async () => (await askEveryServer(lab)) === 6, 60_000);
    const pair = await verdictOf('verify-protected', ...PROBE);
    expect(pair.verdict, pair.reason).to.equal('PROTECTED');
    expect(pair.there).to.be.above(1);
    expect(pair.reason).to.match(/^[1-9]\d* packets there and \d+ back went through the tunnel/);
    const whole = await command('verify-protected', 'verify', SERVICE, ...PROBE);
    expect(whole.code, whole.stdout).to.equal(0);
    expect(whole.stdout).to.contain('both ends are ready and both guards hold.');
  });

  it('HELD when a trap and its SA are taken away and the guard holds', async () => {
    await signalAgent('STOP');
    await lab.swanctl(BROKEN, '--uninstall', '--ike', PEER, '--child', CHILD);
    await lab.swanctl(BROKEN, '--terminate', '--child', CHILD).catch(() => '');
    const pair = await verdictOf('verify-held');
    expect(pair.verdict, pair.reason).to.equal('HELD');
    expect(pair.reason).to.equal(
      `${BROKEN} has neither a trap nor an SA for it; the guard there holds requests of its pods.`,
    );
  });

  it('PLAINTEXT when the guard does not hold it either', async () => {
    const table = await guardTable();
    await lab.run(BROKEN, [
      'nft',
      'delete',
      'element',
      'inet',
      table,
      'holding4',
      `{ ${ENDPOINT} . udp . 53 }`,
    ]);
    const pair = await verdictOf('verify-plaintext');
    expect(pair.verdict, pair.reason).to.equal('PLAINTEXT');
    expect((await command('verify-plaintext', 'verify', SERVICE)).code).to.equal(1);
  });

  it('PROTECTED again when its agent goes on', async () => {
    await signalAgent('CONT');
    await untilProtected('verify-again');
  });

  it('not PROTECTED by the word of a charon whose traps are not in the kernel: a probe finds out', async () => {
    await signalAgent('STOP');
    await lab.run(BROKEN, ['ip', 'xfrm', 'policy', 'flush']);
    await lab.run(BROKEN, ['ip', 'xfrm', 'state', 'flush']);
    const pair = await verdictOf('verify-flushed', ...PROBE);
    expect(pair.verdict, pair.reason).to.equal('HELD');
    expect(pair.reason).to.contain('none went through a tunnel; the guard holds what has none');
    await signalAgent('CONT');
  });

  it('HELD while charon is away, and status names the host first', async () => {
    await lab.killCharon(BROKEN, 'SIGTERM');
    await until(
      'status says so',
      async () => (await command('status-charon-away', 'status')).stdout.includes('CharonUnreachable'),
      60_000,
    );
    const { code, stdout } = await command('status-charon-away', 'status');
    expect(code).to.equal(1);
    expect(stdout).to.match(/^HOST .*\nworker-0 +problem +Ready +ready +unreachable +enforce /m);
    const pair = await verdictOf('verify-charon-away');
    expect(pair.verdict, pair.reason).to.equal('HELD');
    expect(pair.reason).to.contain(`charon of ${BROKEN} cannot be asked`);
    await lab.restartCharon(BROKEN);
    await untilProtected('verify-charon-back');
  });
});

/** In the running container of an agent, with its confinement; in any other pod as the lab runs programs there. */
async function execInLab(
  lab: Lab,
  pod: string,
  { namespace, command }: { readonly namespace: string; readonly command: readonly string[] },
): Promise<ExecOutcome> {
  const host = HOST_NAMES.find((name) => pod === `ipsec-policy-agent-${name}`);
  const runc = ['/usr/sbin/runc', '--root', '/run/runc'];
  if (host === undefined) return outcomeOf(await lab.exec(`${namespace}/${pod}`, command));
  const containers = JSON.parse(await lab.run(host, [...runc, 'list', '--format', 'json'])) as {
    readonly id: string;
    readonly status: string;
  }[];
  const running = containers.find(({ id, status }) => id.startsWith(pod) && status === 'running');
  if (running === undefined) throw new Error(`no container of ${pod} runs`);
  return outcomeOf(await lab.exec(host, [...runc, 'exec', running.id, ...command]));
}

function outcomeOf(result: {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}): ExecOutcome {
  return { exitCode: result.code ?? 137, stdout: result.stdout, stderr: result.stderr };
}
