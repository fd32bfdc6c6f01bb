// Rows of the matrix about kernels that refuse: a guard that cannot be installed, a trap that the kernel does not take. The other
// of the two holds, and conditions say what is missing and where.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { flowTo, policyRow, PORTS, type Ground } from './ground.ts';
import { pause } from './row.ts';
import { matrixSuite } from './suite.ts';

const POLICY = 'matrix';
const client = 'worker-0';
const other = flowTo('first', client, { port: PORTS.other });

matrixSuite(
  {
    name: 'a kernel without nft_ct',
    setUp: async ({ lab }) => {
      await lab.run('guest', [
        'bash',
        '-ec',
        'echo /bin/false > /proc/sys/kernel/modprobe; rmmod nft_ct || true',
      ]);
    },
  },
  (row) => {
    row(
      'guard that cannot be installed: held by charon, and said',
      { up: false, also: ({ row: { esp } }) => void expect(esp, 'packets in ESP').to.be.at.least(100) },
      async (at, { lab, op }) => {
        await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001')]);
        await op.untilSays(POLICY, 'Programmed', 'The guard cannot be kept (unsupported)');
        await untilEnforced(lab, 'udp/6001');
        await at.inForce();
        at.mark();
        await at.untilSteady();
        await pause(2000);
        await lab.run('guest', ['bash', '-ec', 'echo /run/modprobe > /proc/sys/kernel/modprobe']);
        await op.untilProgrammed(POLICY);
      },
    );
  },
);

matrixSuite(
  {
    name: 'a kernel that refuses policies',
    setUp: async ({ lab, op }) => {
      await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001')]);
      await op.untilProgrammed(POLICY);
      const shim = join(lab.dir, 'refused-policies.so');
      const source = join(import.meta.dirname, '../lab/refused-policies.c');
      execFileSync('cc', ['-shared', '-fPIC', '-Wall', '-Werror', '-o', shim, source, '-ldl']);
      await lab.restartCharon(client, 'SIGTERM', { LD_PRELOAD: shim, REFUSED_PORT: String(PORTS.other) });
    },
  },
  (row) => {
    row(
      "trap that the kernel refuses on the client's host: held by the guard, and said",
      { flows: [other], up: false },
      async (at, { lab, op }) => {
        await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001,udp/6002')]);
        await untilEnforced(lab, 'udp/6002');
        await op.untilSays(POLICY, 'Programmed', client);
        await at.inForce();
        await pause(3000);
        expect((await op.condition(POLICY, 'Programmed'))?.status).to.equal('False');
        console.log(`      ${(await op.condition(POLICY, 'Programmed'))?.message ?? ''}`);
        await lab.restartCharon(client, 'SIGTERM');
        at.mark();
        await op.untilProgrammed(POLICY);
        await at.untilSteady();
      },
    );
  },
);

/** For all hosts that answer within the bound of a stage. */
async function untilEnforced(lab: Ground['lab'], port: string): Promise<void> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    const shards = await lab.api.list('/apis/starlingx.io/v1alpha1/ipsecservices');
    const stages = shards.flatMap(({ spec }) => (spec as Stages).stages ?? []);
    if (stages.some((entry) => entry.port === port && entry.stage === 'enforce')) return;
    if (performance.now() > deadline) throw new Error(`${port}: ${JSON.stringify(stages)}`);
    await pause(200);
  }
}

interface Stages {
  readonly stages?: readonly { readonly port: string; readonly stage: string }[];
}
