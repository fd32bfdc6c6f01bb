// Rows of the matrix about the memory of a cluster: a leader that slept, a control plane that was restored from a snapshot. What
// is in force stays so, and no stage goes back.
import { join } from 'node:path';
import { expect } from 'chai';
import { until } from '../../support/until.ts';
import { SHARDS, collectionPath } from '../../../app/kubernetes/resources.ts';
import { flowTo, policyRow, PORTS, type Ground } from './ground.ts';
import { pause } from './row.ts';
import { matrixSuite } from './suite.ts';

const POLICY = 'matrix';
const main = flowTo('first', 'worker-0');
const other = flowTo('first', 'worker-0', { port: PORTS.other });
const NOTHING = { lost: 0 } as const;
const ORDER = ['prepare', 'protect', 'enforce', 'release', 'gone'];

matrixSuite(
  {
    name: 'leaders and snapshots',
    setUp: async ({ op }) => {
      await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001')]);
      await op.untilProgrammed(POLICY);
    },
  },
  (row) => {
    row(
      'leader paused for 60 s in the middle of a roll-out, another takes over',
      { flows: [main], ...NOTHING },
      async (at, { lab, op }) => {
        const stages = watchStages(lab);
        at.mark();
        await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001,udp/6002')]);
        await stages.until('udp/6002', 'prepare');
        const resume = await op.pauseManager();
        op.startManager();
        await op.untilProgrammed(POLICY);
        await pause(60_000);
        const versions = await versionsOf(lab);
        const former = await resume();
        await former.ended();
        await pause(5000);
        expect(await versionsOf(lab), 'what a leader that slept writes').to.deep.equal(versions);
        stages.stop();
      },
    );
  },
);

const SNAPSHOT = 'snapshot.db';

matrixSuite(
  {
    name: 'a snapshot of the time before',
    setUp: async ({ lab, op }) => {
      await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001')]);
      await op.untilProgrammed(POLICY);
      const stages = watchStages(lab);
      await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001,udp/6002')]);
      await stages.until('udp/6002', 'prepare');
      await lab.cluster.saveSnapshot(join(lab.dir, SNAPSHOT));
      await op.untilProgrammed(POLICY);
      stages.stop();
    },
  },
  (row) => {
    row(
      'API server restored from a snapshot taken before a port was enforced',
      { flows: [main, other], ...NOTHING },
      async (at, { lab, op }) => {
        at.mark();
        await lab.cluster.restoreSnapshot(join(lab.dir, SNAPSHOT));
        // The platform starts what talks to the API server again; agents and their charon are not part of that.
        await op.killManager();
        op.startManager();
        await until("the test's own client has found the new server", () => answers(op));
        await op.untilProgrammed(POLICY);
        await pause(3000);
        // What comes after it is heard by everyone.
        await op.applyPolicy(POLICY, [
          policyRow('first', 'udp/6001,udp/6002'),
          policyRow('second', 'udp/6001'),
        ]);
        await op.untilProgrammed(POLICY);
      },
    );
  },
);

interface Stages {
  /** Resolves when the port has had this stage, or a later one. */
  until(port: string, stage: string): Promise<void>;
  /** Throws if a stage of one object ever went back. */
  stop(): void;
}

/** Looks at the API all the time. A policy that is made again during its release begins anew, which no row here does. */
function watchStages(lab: Ground['lab']): Stages {
  const seen = new Map<string, string[]>();
  const failures: string[] = [];
  const over = new AbortController();
  const look = async (): Promise<void> => {
    for (const shard of await lab.api.list(collectionPath(SHARDS))) {
      const { stages = [] } = shard['spec'] as { stages?: { port: string; stage: string }[] };
      for (const { port, stage } of stages) {
        const key = `${shard.metadata.uid ?? ''} ${port}`;
        const before = seen.get(key) ?? [];
        if (before.at(-1) === stage) continue;
        if (ORDER.indexOf(stage) < ORDER.indexOf(before.at(-1) ?? stage))
          failures.push(`${key}: ${before.join(', ')}, ${stage}`);
        seen.set(key, [...before, stage]);
      }
    }
  };
  const looking = (async () => {
    while (!over.signal.aborted) {
      await look().catch(() => undefined);
      await pause(50);
    }
  })();
  return {
    until: async (port, stage) => {
      const deadline = performance.now() + 60_000;
      const isThere = (): boolean =>
        [...seen].some(([key, stages]) => key.endsWith(` ${port}`) && reached(stages, stage));
      while (!isThere()) {
        if (performance.now() > deadline) throw new Error(`${port} never comes to ${stage}`);
        await pause(20);
      }
    },
    stop: () => {
      over.abort();
      void looking;
      expect(failures, 'stages that went back').to.deep.equal([]);
    },
  };
}

/** Its connections to the server that was fail once. */
async function answers(op: Ground['op']): Promise<boolean> {
  return op.condition(POLICY, 'Accepted').then(
    () => true,
    () => false,
  );
}

function reached(stages: readonly string[], stage: string): boolean {
  return stages.some((had) => ORDER.indexOf(had) >= ORDER.indexOf(stage));
}

async function versionsOf(lab: Ground['lab']): Promise<string[]> {
  const shards = await lab.api.list(collectionPath(SHARDS));
  return shards.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion ?? ''}`);
}
