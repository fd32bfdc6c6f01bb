// Rows of the matrix about what comes, goes and moves: endpoints, other services, blocks of addresses, borrowed addresses.
import { expect } from 'chai';
import { startFlow } from '../lab/flow.ts';
import { routeBlock } from '../lab/network.ts';
import { addresses, addServer, flowTo, policyRow, serveAll } from './ground.ts';
import { pause, type RowReport } from './row.ts';
import { matrixSuite } from './suite.ts';

const POLICY = 'matrix';
const NOTHING = { lost: 0 } as const;
const ANOTHER = addresses('controller-1', '172.16.166.151', 'e312');
const EARLY = addresses('controller-1', '172.16.166.152', 'e313');
const SECOND_BLOCK = '172.16.43.64/26';
const IN_SECOND_BLOCK = '172.16.43.70';
const BORROWED = '172.16.166.161';
const BORROWED_AT_HOME = '172.16.166.160';

const main = flowTo('first', 'worker-0');
const main6 = flowTo('first', 'worker-0', { family: 6 });
const fromOther = flowTo('first', 'controller-1');

matrixSuite(
  {
    name: 'endpoints',
    setUp: async ({ op }) => {
      await op.applyPolicy(POLICY, [
        policyRow('first', 'udp/6001,tcp/6003'),
        policyRow('second', 'udp/6001'),
      ]);
      await op.untilProgrammed(POLICY);
    },
  },
  (row) => {
    row('endpoint added', NOTHING, async (at, { lab, op }) => {
      at.mark();
      await addServer(lab, 'controller-1', 'another', ANOTHER, { app: 'first' });
      await pause(1000);
      await op.untilProgrammed(POLICY);
    });

    row('endpoint removed', NOTHING, async (at, { lab, op }) => {
      at.mark();
      await lab.removePod('default/another');
      await pause(1000);
      await op.untilProgrammed(POLICY);
    });

    row('service scaled to three and back', NOTHING, async (at, { lab, op }) => {
      at.mark();
      await lab.addPod({
        host: 'controller-1',
        name: 's1',
        addresses: ['172.16.166.171'],
        labels: { app: 'first' },
      });
      await lab.addPod({
        host: 'worker-0',
        name: 's2',
        addresses: ['172.16.43.21'],
        labels: { app: 'first' },
      });
      await pause(2000);
      await lab.removePod('default/s1');
      await lab.removePod('default/s2');
      await pause(1000);
      await op.untilProgrammed(POLICY);
    });

    row("another service's policy changed", NOTHING, async (at, { op }) => {
      at.mark();
      await op.applyPolicy('another', [policyRow('second', 'udp/6002')]);
      await op.untilProgrammed('another');
      await op.deletePolicy('another');
      await pause(4000);
    });

    row(
      'pod moves to another host: not ready, then ready',
      { flows: [main, main6], quick: true, ...NOTHING, also: answered },
      async (at, { lab }) => {
        at.mark();
        const key = await addServer(lab, 'controller-1', 'moved', ANOTHER, { app: 'first' }, false);
        // A readiness probe needs a few seconds; clients learn the address from it.
        await pause(3000);
        await lab.setReady(key, true);
        const flow = await startFlow(lab, { ...main, address: ANOTHER[4] });
        flow.mark();
        await flow.untilSteady();
        await flow.stop();
        await lab.removePod('default/moved');
        await pause(1000);
      },
    );

    row(
      'traffic as soon as a pod has its address (publishNotReadyAddresses)',
      {
        ...NOTHING,
        mayBePlain: true,
        also: (report) => {
          console.log(`      ${report.row.plaintext} packets of the race in plaintext`);
        },
      },
      async (at, { lab }) => {
        at.mark();
        const key = await lab.addPod({
          host: 'controller-1',
          name: 'early',
          addresses: [EARLY[4]],
          labels: { app: 'first' },
          ready: false,
        });
        await serveAll(lab, key, { 4: EARLY[4] });
        const flow = await startFlow(lab, { ...main, address: EARLY[4] });
        flow.mark();
        await flow.untilSteady();
        await flow.stop();
        await lab.removePod(key);
        await pause(500);
      },
    );

    row(
      'first pod of a block that nobody knows yet talks',
      { ...NOTHING, quick: true },
      async (at, { lab }) => {
        await routeBlock(lab, 'worker-0', SECOND_BLOCK, 'add');
        const client = await lab.addPod({
          host: 'worker-0',
          name: 'early-client',
          addresses: [IN_SECOND_BLOCK],
        });
        const flow = await startFlow(lab, { ...main, from: client, source: IN_SECOND_BLOCK });
        await pause(2000);
        await routeBlock(lab, 'worker-0', SECOND_BLOCK, 'del');
        await lab.addBlock('worker-0', SECOND_BLOCK);
        at.mark();
        flow.mark();
        await flow.untilSteady(60_000);
        const { received } = await flow.stop();
        expect(received, 'answers to the new block').to.be.at.least(1);
        await lab.removePod(client);
        await lab.removeBlock(SECOND_BLOCK);
        await pause(1000);
      },
    );

    row('pod with an address borrowed from another host talks', NOTHING, async (at, { lab }) => {
      const client = await lab.addPod({ host: 'worker-0', name: 'borrower', addresses: [BORROWED] });
      const flow = await startFlow(lab, { ...main, from: client, source: BORROWED });
      at.mark();
      flow.mark();
      await flow.untilSteady(60_000);
      await flow.stop();
      await lab.removePod(client);
    });

    row(
      "pod on the endpoint's own host with an address borrowed from another",
      { flows: [main, fromOther], ...NOTHING },
      async (at, { lab }) => {
        const client = await lab.addPod({
          host: 'controller-0',
          name: 'home',
          addresses: [BORROWED_AT_HOME],
        });
        const flow = await startFlow(lab, { ...main, from: client, source: BORROWED_AT_HOME });
        at.mark();
        flow.mark();
        await flow.untilSteady(60_000);
        await flow.stop();
        await lab.removePod(client);
      },
    );
  },
);

function answered({ flows }: RowReport): void {
  for (const flow of flows) expect(flow.received).to.be.at.least(1);
}
