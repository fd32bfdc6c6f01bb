// Rows of the matrix about policies: made, changed and deleted while traffic flows.
import { expect } from 'chai';
import { flowTo, policyRow, PORTS } from './ground.ts';
import { pause } from './row.ts';
import { matrixSuite } from './suite.ts';

const POLICY = 'matrix';
const main = flowTo('first', 'worker-0');
const other = flowTo('first', 'worker-0', { port: PORTS.other });
const tcp = flowTo('first', 'worker-0', { port: PORTS.tcp, protocol: 'tcp' });
const main6 = flowTo('first', 'worker-0', { family: 6 });

matrixSuite({ name: 'policies' }, (row) => {
  for (const [family, flow] of [
    ['IPv4', main],
    ['IPv6', main6],
  ] as const) {
    row(
      `policy created on a live flow, ${family}`,
      {
        flows: [flow],
        lost: 5,
        also: ({ row: { plaintextBefore } }) => {
          expect(plaintextBefore, 'the capture sees plaintext').to.be.at.least(100);
        },
      },
      async (at, { op }) => {
        at.mark();
        await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001')]);
        await op.untilProgrammed(POLICY);
        await at.inForce();
        await pause(1000);
      },
    );

    row(
      `port added that carries live traffic, ${family}`,
      {
        flows: [flow, { ...flow, port: PORTS.other }],
        lost: 5,
        also: ({ flows: [stays], control }) => {
          const lost = (stays?.sent ?? 0) - (stays?.received ?? 0) - (control.sent - control.received);
          expect(lost, 'lost of the flow that stays').to.be.at.most(0);
        },
      },
      async (at, { op }) => {
        at.mark();
        await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001,udp/6002')]);
        await op.untilProgrammed(POLICY);
        await at.inForce();
        await pause(1000);
      },
    );

    row(`port removed, ${family}`, { flows: [flow], lost: 0 }, async (at, { op }) => {
      at.mark();
      await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001')]);
      await op.untilProgrammed(POLICY);
      await pause(3000);
    });

    row(`row added, ${family}`, { flows: [flow], lost: 0 }, async (at, { op }) => {
      at.mark();
      await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001'), policyRow('second', 'udp/6001')]);
      await op.untilProgrammed(POLICY);
      await pause(1000);
    });

    row(
      `policy deleted under a live flow, ${family}`,
      { flows: [flow], lost: 5, mayBePlain: true },
      async (at, { op }) => {
        at.mark();
        await op.deletePolicy(POLICY);
        await op.untilNothingLeft();
        await pause(500);
      },
    );
  }

  row(
    'policy created and deleted on a long TCP connection',
    { flows: [tcp], mayBePlain: true },
    async (at, { op }) => {
      await op.applyPolicy(POLICY, [policyRow('first', 'tcp/6003')]);
      await op.untilProgrammed(POLICY);
      at.mark();
      await at.untilSteady();
      await op.deletePolicy(POLICY);
      await op.untilNothingLeft();
      at.mark();
      await at.untilSteady();
    },
  );

  row(
    'policy for one port, other ports of the service',
    { flows: [other], up: false, lost: 0, mayBePlain: true },
    async (at, { op }) => {
      at.mark();
      await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001')]);
      await op.untilProgrammed(POLICY);
      await op.deletePolicy(POLICY);
      await op.untilNothingLeft();
    },
  );
});
