// Rows of the matrix about what dies, is restarted, flushed or cut while a protected flow is on.
import { CONTROL_PORT, flowTo, policyRow } from './ground.ts';
import { pause } from './row.ts';
import { matrixSuite } from './suite.ts';

const POLICY = 'matrix';
const FILE = '/etc/swanctl/conf.d/k8s-nodes.conf';
const client = 'worker-0';
const server = 'controller-0';
const NOTHING = { lost: 0 } as const;
const SOON = { backWithinMs: 2000 } as const;
const MADE_ANEW = { holeWithinMs: 2000 } as const;
const SOON_ENOUGH = { backWithinMs: 5000 } as const;
/** The control goes another way than the one that is cut. */
const CUT = { ...SOON_ENOUGH, control: flowTo('second', client, { port: CONTROL_PORT }) };

matrixSuite(
  {
    name: 'recovery',
    setUp: async ({ op }) => {
      await op.applyPolicy(POLICY, [
        policyRow('first', 'udp/6001,tcp/6003'),
        policyRow('second', 'udp/6001'),
      ]);
      await op.untilProgrammed(POLICY);
    },
  },
  (row) => {
    row('agent SIGKILL and restart, on both ends', NOTHING, async (at, { op }) => {
      at.mark();
      for (const host of [client, server] as const) {
        await op.killAgent(host);
        await pause(500);
        op.startAgent(host);
      }
      await pause(5000);
    });

    row('agent SIGTERM and restart, on both ends', NOTHING, async (at, { op }) => {
      at.mark();
      for (const host of [client, server] as const) {
        await op.killAgent(host, 'SIGTERM');
        op.startAgent(host);
      }
      await pause(5000);
    });

    for (const [end, host] of [
      ['client', client],
      ['server', server],
    ] as const) {
      row(`charon SIGKILL and restart, ${end}'s host`, SOON, async (at, { lab }) => {
        await lab.restartCharon(host, 'SIGKILL');
        at.mark();
        await at.untilSteady();
        await pause(4000);
      });

      row(`charon SIGTERM and restart after 3 s, ${end}'s host`, SOON, async (at, { lab }) => {
        await lab.killCharon(host, 'SIGTERM');
        await pause(3000);
        await lab.restartCharon(host);
        at.mark();
        await at.untilSteady();
        await pause(4000);
      });
    }

    row(
      'nft flush ruleset by someone else, on both ends',
      { ...NOTHING, quick: true },
      async (at, { lab }) => {
        at.mark();
        for (const host of [client, server] as const) await lab.run(host, ['nft', 'flush', 'ruleset']);
        await pause(6000);
        for (const host of [client, server] as const) {
          const tables = await lab.run(host, ['nft', 'list', 'tables']);
          if (!tables.includes('ipsec')) throw new Error(`${host} has no guard again: ${tables}`);
        }
      },
    );

    for (const [end, host] of [
      ['client', client],
      ['server', server],
    ] as const) {
      row(`ip xfrm policy flush by someone else, ${end}'s host`, SOON_ENOUGH, async (at, { lab }) => {
        await lab.run(host, ['ip', 'xfrm', 'policy', 'flush']);
        at.mark();
        await at.untilSteady();
        await pause(2000);
      });

      row(`ip xfrm state flush by someone else, ${end}'s host`, SOON_ENOUGH, async (at, { lab }) => {
        await lab.run(host, ['ip', 'xfrm', 'state', 'flush']);
        at.mark();
        await at.untilSteady();
        await pause(2000);
      });
    }

    row('platform --load-conns with our file', NOTHING, async (at, { lab }) => {
      at.mark();
      for (const host of [client, server] as const) await lab.swanctl(host, '--load-conns');
      await pause(2000);
    });

    row('platform --load-all', NOTHING, async (at, { lab }) => {
      at.mark();
      for (const host of [client, server] as const) await lab.swanctl(host, '--load-all', '--noprompt');
      await pause(2000);
    });

    row('platform --load-conns without our file, on both ends', MADE_ANEW, async (at, { lab }) => {
      for (const host of [client, server] as const) {
        await lab.run(host, ['rm', FILE]);
        await lab.swanctl(host, '--load-conns');
      }
      at.mark();
      // What carried them is made anew some seconds later.
      await pause(30_000);
    });

    row(
      'certificate renewed (--load-creds --clear, --load-conns), on both ends',
      NOTHING,
      async (at, { lab }) => {
        at.mark();
        for (const host of [client, server] as const) await lab.renewCertificate(host);
        await pause(2000);
      },
    );

    row('platform terminates system-nodes', NOTHING, async (at, { lab }) => {
      at.mark();
      await lab.exec(client, ['swanctl', '--terminate', '--ike', 'system-nodes', '--timeout', '5']);
      await pause(2000);
    });

    row('network between the two hosts cut for 30 s', CUT, async (at, { lab }) => {
      await lab.cutNetwork(client, server);
      await pause(30_000);
      await lab.healNetwork(client, server);
      at.mark();
      await at.untilSteady(60_000);
      await pause(1000);
    });
  },
);
