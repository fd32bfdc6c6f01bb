// Rows of the matrix about what goes on for long: programs that are away, short lifetimes, a host that comes back, a late peer.
import { expect } from 'chai';
import { readSas } from '../lab/sas.ts';
import { policyRow, type Ground } from './ground.ts';
import { pause } from './row.ts';
import { matrixSuite } from './suite.ts';

const POLICY = 'matrix';
const client = 'worker-0';
const server = 'controller-0';
const NOTHING = { lost: 0 } as const;

const protect = async ({ op }: Ground): Promise<void> => {
  await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001')]);
  await op.untilProgrammed(POLICY);
};

matrixSuite({ name: 'programs that are away', setUp: protect }, (row) => {
  row('manager away for 60 s', NOTHING, async (at, { op }) => {
    at.mark();
    await op.killManager();
    await pause(60_000);
    op.startManager();
    await pause(5000);
  });

  row('API server away for 60 s, agent restarted meanwhile', NOTHING, async (at, { lab, op }) => {
    at.mark();
    await lab.cluster.stopApiServer();
    await pause(15_000);
    await op.killAgent(client);
    op.startAgent(client);
    await op.killAgent(server);
    op.startAgent(server);
    await pause(45_000);
    await lab.cluster.restartApiServer();
    await pause(5000);
  });

  row('a second agent on the same host', NOTHING, async (at, { op }) => {
    at.mark();
    for (const host of [client, server] as const) op.startAgent(host, { LOG_LEVEL: 'debug' });
    await pause(5000);
  });
});

/** Hard lifetimes follow a tenth later: with less than 60 s that is shorter than charon waits before it asks again (4 s). */
const LONGER = { IKE_REKEY_SECONDS: '80', CHILD_REKEY_SECONDS: '60' };
const SHORT = { IKE_REAUTH_SECONDS: '20', IKE_REKEY_SECONDS: '15', CHILD_REKEY_SECONDS: '10' };

for (const [what, manager, lost, ms] of [
  ['rekey every 60-80 s, for two and a half minutes', LONGER, 0, 150_000],
  ['rekey and reauth every 10-20 s, for a minute', SHORT, 6, 60_000],
] as const)
  matrixSuite({ name: 'short lifetimes', manager, setUp: protect }, (row) => {
    row(
      what,
      {
        lost,
        also: async (_report, { lab }) => {
          const sas = await readSas(lab, client);
          const ours = sas.filter(({ connection }) => connection === `k8s-node-${server}`);
          expect(ours.length, 'IKE_SAs').to.be.at.most(2);
          expect(ours.flatMap(({ children }) => children).length, 'CHILD_SAs').to.be.at.most(4);
        },
      },
      async (at) => {
        at.mark();
        await pause(ms);
      },
    );
  });

matrixSuite({ name: 'a late peer', setUp: async ({ op }) => op.killAgent(server) }, (row) => {
  row(
    "peer configured 20 s late: the endpoint's host",
    { backWithinMs: 2000, up: false },
    async (at, { op }) => {
      await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001')]);
      await pause(20_000);
      op.startAgent(server);
      await op.untilProgrammed(POLICY);
      await at.inForce();
      at.mark();
      await at.untilSteady(60_000);
      await pause(500);
    },
  );
});
