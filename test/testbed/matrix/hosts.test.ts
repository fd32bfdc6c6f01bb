// Rows of the matrix about hosts as a whole: they reboot, leave the cluster while nobody watches, and join it.
import { expect } from 'chai';
import { startFlow } from '../lab/flow.ts';
import { readSas } from '../lab/sas.ts';
import type { LabHost } from '../lab/topology.ts';
import { CONTROL_PORT, flowTo, policyRow, serveAll, SERVERS, type Ground } from './ground.ts';
import { pause, type RowReport } from './row.ts';
import { matrixSuite } from './suite.ts';

const POLICY = 'matrix';
const client = 'worker-0';
const server = 'controller-0';
const third = 'controller-1';
/** Between boot and the agent's start only charon's file protects. */
const UNTIL_AGENT_MS = 3000;

const main = flowTo('first', client);
const fromThird = flowTo('first', third);
const toThird = flowTo('second', client);

matrixSuite(
  {
    name: 'hosts',
    setUp: async ({ op }) => {
      await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001'), policyRow('second', 'udp/6001')]);
      await op.untilProgrammed(POLICY);
    },
  },
  (row) => {
    row(
      "endpoint's host reboots, file on disk",
      {
        flows: [main, toThird],
        control: flowTo('second', client, { port: CONTROL_PORT }),
        also: ({ flows: [, stays], control }) => expectNothingLost(stays, control),
      },
      async (at, ground) => {
        at.mark();
        await reboot(ground, [server]);
        await serveAgain(ground);
        await pause(UNTIL_AGENT_MS);
        ground.op.startAgent(server);
        at.mark();
        await at.untilSteady(90_000);
      },
    );

    row(
      "client's host reboots, file on disk: its pods talk before its agent starts",
      {
        flows: [fromThird],
        control: flowTo('first', third, { port: CONTROL_PORT }),
        lost: 0,
      },
      async (at, ground) => {
        at.mark();
        await reboot(ground, [client]);
        const flow = await startFlow(ground.lab, main);
        await pause(UNTIL_AGENT_MS);
        ground.op.startAgent(client);
        await steady(flow);
      },
    );

    row(
      'both hosts reboot at once, and talk before their agents start',
      {
        flows: [fromThird],
        control: flowTo('first', third, { port: CONTROL_PORT }),
        also: async (_report, { lab }) => {
          const sas = await readSas(lab, client);
          const ours = sas.filter(({ connection }) => connection === `k8s-node-${server}`);
          expect(ours.length, 'IKE_SAs').to.be.within(1, 2);
        },
      },
      async (at, ground) => {
        at.mark();
        await reboot(ground, [client, server]);
        await serveAgain(ground);
        const flow = await startFlow(ground.lab, main);
        await pause(UNTIL_AGENT_MS);
        for (const host of [client, server] as const) ground.op.startAgent(host);
        await steady(flow);
        at.mark();
        await at.untilSteady(90_000);
      },
    );

    row('host deleted while its agent is down', { flows: [main], lost: 0 }, async (at, { lab, op }) => {
      const flow = await startFlow(lab, fromThird);
      await op.killAgent(third);
      at.mark();
      await lab.removePod(SERVERS.second.pod);
      await lab.removeNode(third);
      await untilGone({ lab, op }, third);
      await flow.stop();
    });

    row(
      'host added, with pods that talk as soon as its guard stands',
      { flows: [main], lost: 0 },
      async (at, { lab, op }) => {
        at.mark();
        await lab.setNodeReady(third, true);
        op.startAgent(third);
        await untilGuarded(lab, third);
        const flow = await startFlow(lab, fromThird);
        await steady(flow);
        await op.untilProgrammed(POLICY);
      },
    );
  },
);

/** Its agent, which ends with it, is not started again. */
async function reboot({ lab, op }: Ground, hosts: readonly LabHost[]): Promise<void> {
  await lab.rebootHosts(hosts);
  for (const host of hosts) await op.killAgent(host);
  for (const host of hosts) await lab.startPods(host);
}

async function serveAgain({ lab }: Ground): Promise<void> {
  await serveAll(lab, SERVERS.first.pod, SERVERS.first.addresses);
}

async function steady(flow: Awaited<ReturnType<typeof startFlow>>): Promise<void> {
  flow.mark();
  await flow.untilSteady(90_000);
  await flow.stop();
}

function expectNothingLost(
  stays: RowReport['flows'][number] | undefined,
  control: RowReport['control'],
): void {
  const lost = (stays?.sent ?? 0) - (stays?.received ?? 0) - (control.sent - control.received);
  expect(lost, 'lost of the flow between others').to.be.at.most(0);
}

async function untilGone({ op }: Pick<Ground, 'lab' | 'op'>, host: LabHost): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (const other of [client, server] as const)
    while ((await op.childrenOn(other)).some((child) => child.startsWith(`k8s-node-${host}`))) {
      if (performance.now() > deadline) throw new Error(`${other} keeps its connections to ${host}`);
      await pause(300);
    }
}

async function untilGuarded(lab: Ground['lab'], host: LabHost): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await lab.run(host, ['nft', 'list', 'tables'])).includes('ipsec')) {
    if (performance.now() > deadline) throw new Error(`${host} has no guard`);
    await pause(100);
  }
}
