import { execFile, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { SETTINGS } from '../../../app/runtime/settings.ts';

const ROOT = join(import.meta.dirname, '../../..');
const CLUSTER = join(ROOT, 'test/golden/plan-command/cluster.yaml');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  args: readonly string[],
  input = '',
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(ROOT, 'app/bin/main.ts'), ...args],
      { env: { PATH: process.env['PATH'], ...env } },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      },
    );
    // A command that does not read its input breaks the pipe: what it printed and its exit code count.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

describe('main', function () {
  // Each starts a program or several: not how fast, but what it says.
  this.timeout(120_000);

  it('prints the plan of a file, or of its standard input', async () => {
    const plan = readFileSync(join(ROOT, 'test/golden/plan-command/plan.txt'), 'utf8');
    expect(await run(['plan', CLUSTER])).to.deep.equal({ code: 0, stdout: plan, stderr: '' });
    expect((await run(['plan', '-'], readFileSync(CLUSTER, 'utf8'))).stdout).to.equal(plan);
  });

  it('says in one line what is wrong with a dump or a file, without a stack', async () => {
    const missing = await run(['plan', '/no/such/file']);
    expect([missing.code, missing.stdout]).to.deep.equal([66, '']);
    expect(missing.stderr).to.match(/^error: cannot read \/no\/such\/file: ENOENT.*\n$/);
    const broken = await run(['plan', '-'], 'items: [');
    expect(broken.code).to.equal(66);
    expect(broken.stderr).to.match(/^error: the dump is not YAML: .*\n$/);
  });

  it('names the setting that is missing', async () => {
    const ended = await run(['agent']);
    expect(ended.code).to.equal(1);
    expect(ended.stderr).to.match(/^error: wrong settings: .*NODE_NAME.*\n$/);
  });

  for (const { env, says } of [
    { env: {}, says: /^error: no cluster: set KUBECONFIG .*\n$/ },
    { env: { KUBECONFIG: '/no/such/file' }, says: /^error: the kubeconfig \/no\/such\/file .*ENOENT\n$/ },
    { env: { KUBECONFIG: CLUSTER }, says: /^error: the kubeconfig .* cannot be used: .*\n$/ },
    { env: { HEALTH_HOST: '192.0.2.1' }, says: /^error: HEALTH_HOST 192\.0\.2\.1 .*\n$/ },
  ])
    it(`ends with one line when started with ${JSON.stringify(Object.keys(env))} that cannot be used`, async () => {
      const ended = await run(['manager'], '', { HEALTH_HOST: '127.0.0.1', HEALTH_PORT: '0', ...env });
      expect([ended.code, ended.stdout]).to.deep.equal([1, '']);
      expect(ended.stderr).to.match(says);
    });

  it('ends a plan with problems by 1, and says on standard error that there are some', async () => {
    const unprotected = readFileSync(CLUSTER, 'utf8').replaceAll(
      'servicename: kube-dns',
      'servicename: no-such',
    );
    const ended = await run(['plan', '-'], unprotected);
    expect(ended.code).to.equal(1);
    expect(ended.stdout).to.match(/^# ServiceNotFound kube-system\/no-such: /);
    expect(ended.stderr).to.equal('1 problem: see the lines with # in what was printed\n');
  });

  it('explains itself and its settings', async () => {
    for (const option of ['--help', '-h', 'help']) {
      const ended = await run([option]);
      expect([ended.code, ended.stderr]).to.deep.equal([0, '']);
      for (const { env } of Object.values(SETTINGS))
        expect(ended.stdout).to.match(new RegExp(`^  ${env} `, 'm'));
    }
  });

  it('refuses options, words and formats that status does not know, in one line', async () => {
    for (const [args, says] of [
      [['--colour'], /^error: Unknown option '--colour': status \[--policy NAME\].*\n$/],
      [['now'], /^error: "now" is one word too many: status .*\n$/],
      [['-o', 'xml'], /^error: --output xml: give one of text, wide, json, yaml\n$/],
    ] as const) {
      const ended = await run(['status', ...args]);
      expect([ended.code, ended.stdout]).to.deep.equal([64, '']);
      expect(ended.stderr).to.match(says);
    }
  });

  it('cannot tell without a cluster', async () => {
    const ended = await run(['status'], '', { HOME: '/nonexistent' });
    expect([ended.code, ended.stdout]).to.deep.equal([2, '']);
    expect(ended.stderr).to.match(/^error: no cluster: set KUBECONFIG .*\n$/);
  });

  it('ends by its verdict when nobody reads on, and in one line when there is no room for its output', () => {
    const command = `"${process.execPath}" "${join(ROOT, 'app/bin/main.ts')}" plan "${CLUSTER}"`;
    const shell = (script: string): SpawnSyncReturns<string> =>
      spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    // The reader is gone before anything is written.
    const unread = shell(`set -o pipefail; { sleep 0.2; ${command}; } | true`);
    expect([unread.status, unread.stderr]).to.deep.equal([0, '']);
    const full = shell(`${command} > /dev/full`);
    expect(full.status).to.equal(1);
    expect(full.stderr).to.match(/^error: cannot write the output: ENOSPC.*\n$/);
  });

  it('explains the commands for people when one of them is asked for help', async () => {
    for (const args of [
      ['status', '--help'],
      ['verify', '-h'],
    ]) {
      const ended = await run(args);
      expect([ended.code, ended.stderr]).to.deep.equal([0, '']);
      expect(ended.stdout).to.match(/^ {2}status .*\n {2}verify /);
    }
  });

  it('says how it is used instead of doing something else', async () => {
    const surplus = ['manager', 'agent', 'withdraw'].map((command) => [command, '--help']);
    for (const args of [[], ['no-such'], ['plan'], ['plan', 'a', 'b'], ...surplus]) {
      const ended = await run(args);
      expect([ended.code, ended.stdout]).to.deep.equal([64, '']);
      expect(ended.stderr).to.match(/^usage: ipsec-policy-operator COMMAND\n/);
    }
  });
});
