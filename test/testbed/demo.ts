// The main job, for a person to watch: three hosts, the sample policy, DNS between pods in plaintext before and in ESP after, and
// the proof in the commands that a user would type. Called by scripts/demo.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { untilAgentReady } from './lab/agent-ready.ts';
import { startLab, type Lab } from './lab/lab.ts';
import { operator } from './lab/operator.ts';
import { addSeedServices, askEveryServer } from './lab/seed-services.ts';
import { HOST_NAMES } from './lab/topology.ts';

/** Relative to the top of the repository, where scripts/demo runs this. */
const SAMPLE = 'docs/samples/ipsecpolicy-kube-dns.yaml';
const BUNDLE = 'dist/ipsec-policy-operator.mjs';
const POLICY = 'ipsecpolicy-kube-dns-sample';
const started = performance.now();

function say(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
  console.log(`[${seconds} s] ${text}`);
}

/** Prints a command as typed, and what it says. The programs of the lab go on meanwhile: nothing here may block. */
async function show(lab: Lab, ...args: readonly string[]): Promise<void> {
  const program = join(process.env['IPSEC_KUBERNETES_DIR'] ?? '', 'kubectl');
  console.log(`\n$ kubectl ${args.join(' ')}`);
  const said = await promisify(execFile)(program, ['--kubeconfig', lab.cluster.adminKubeconfig, ...args]);
  console.log(said.stdout.trimEnd());
}

/** The same program from outside, with a kubeconfig: what is in force, worst first. */
async function showStatus(lab: Lab): Promise<void> {
  console.log('\n$ node dist/ipsec-policy-operator.mjs status');
  const env = { ...process.env, KUBECONFIG: lab.cluster.adminKubeconfig };
  const said = await promisify(execFile)(process.execPath, [BUNDLE, 'status'], { env });
  console.log(said.stdout.trimEnd());
}

async function showSas(lab: Lab): Promise<void> {
  for (const host of HOST_NAMES) {
    const listing = await lab.swanctl(host, '--list-sas');
    const ours = listing.split(/\n(?=\S)/).filter((text) => text.startsWith('k8s-node-'));
    console.log(`\n${host}:~$ sudo swanctl --list-sas     (k8s-node-* of it)`);
    console.log(ours.map((text) => text.trimEnd()).join('\n'));
  }
}

/** What the kernel says of an agent's process: one capability (0x1000 is CAP_NET_ADMIN), no new privileges, a seccomp filter. */
async function showConfinement(lab: Lab): Promise<void> {
  const agents = await lab.run('guest', ['pgrep', '-f', 'ipsec-policy-operator.mjs agent']);
  const [pid = ''] = agents.split('\n');
  const status = await lab.readFile('guest', `/proc/${pid}/status`);
  console.log(`\n$ grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/<an agent>/status`);
  console.log(status.match(/^(CapBnd|CapEff|NoNewPrivs|Seccomp):.*/gm)?.join('\n'));
}

async function onTheWire(lab: Lab, what: string): Promise<{ plaintext: number; esp: number }> {
  const capture = await lab.capture();
  const answers = await askEveryServer(lab);
  const { plaintext, esp } = await capture.stop();
  say(
    `${what}: 6 questions, ${answers} answers; between hosts ${plaintext.length} packets in plaintext, ${esp.length} in ESP`,
  );
  return { plaintext: plaintext.length, esp: esp.length };
}

async function run(lab: Lab): Promise<boolean> {
  const op = operator(lab, { from: 'image' });
  try {
    await addSeedServices(lab);
    say('kube-dns on both controllers, cm-cert-manager, a client pod on every host');
    const before = await onTheWire(lab, 'DNS before the policy');
    op.startManager();
    for (const host of HOST_NAMES) op.startAgent(host);
    say(
      'manager and three agents: out of the packaged image by runc, with the confinement and the rights of the chart',
    );
    await show(lab, 'apply', '-f', SAMPLE);
    await show(lab, 'wait', '--for=condition=Programmed', '--timeout=120s', `ipsecpolicies/${POLICY}`);
    say('the policy is in force on all hosts');
    const after = await onTheWire(lab, 'DNS with the policy');
    await show(lab, 'get', 'ipsecpolicies');
    await show(lab, 'get', 'ipsechostreports');
    for (const host of HOST_NAMES) await untilAgentReady(lab, host);
    await showStatus(lab);
    await showConfinement(lab);
    await showSas(lab);
    return before.plaintext > 0 && after.plaintext === 0 && after.esp > 0;
  } finally {
    await op.stop();
  }
}

const lab = await startLab({ onProgress: (what) => say(`up: ${what}`) });
try {
  const proven = await run(lab);
  console.log();
  say(proven ? 'done: nothing of the protected traffic was in plaintext' : 'FAILED: see the packets above');
  process.exitCode = proven ? 0 : 1;
} finally {
  await lab.stop();
}
