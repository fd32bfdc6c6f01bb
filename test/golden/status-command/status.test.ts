// How `status` reads, as reviewers read it. `UPDATE_GOLDEN=1 npx mocha test/golden/status-command` rewrites the texts.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { statusText } from '../../../app/commands/status-text.ts';
import { painter } from '../../../app/commands/table.ts';
import { clusterStatus } from '../../../app/domain/cluster-status.ts';
import type { ClusterView } from '../../../app/domain/cluster-view.ts';
import { clusterView, NOW, policyView, reportView } from '../../support/view-builders.ts';

const WELL = clusterView();
const TROUBLED = clusterView({
  nowMs: Date.parse(NOW) + 5 * 60_000,
  policies: [policyView('dns'), policyView('web', { programmed: 'CharonUnreachable' })],
  reports: [
    reportView('worker-0', {
      generation: 1,
      problems: [
        {
          reason: 'CharonUnreachable',
          subject: 'charon',
          message: 'cannot connect to charon at /host/run/charon.vici: connect ENOENT\u001b[2J\nsecond line',
        },
      ],
    }),
    reportView('controller-1', { guard: 'differs', peersNotReached: ['worker-0'] }),
  ],
  notReady: ['controller-1'],
  hidden: ['Whether the pods of agents run is not known (no right to read them).'],
  agents: undefined,
  leader: { kind: 'lease', holder: '', renewedAt: NOW, durationSeconds: 15 },
});

const CASES: readonly {
  readonly name: string;
  readonly view: ClusterView;
  readonly isWide?: boolean;
  readonly isColoured?: boolean;
}[] = [
  { name: 'all-well', view: WELL },
  { name: 'all-well-wide', view: WELL, isWide: true },
  { name: 'troubled', view: TROUBLED },
  { name: 'troubled-in-colour', view: TROUBLED, isColoured: true },
  {
    name: 'nothing',
    view: clusterView({ policies: [] }),
  },
];

describe('statusText', () => {
  for (const { name, view, isWide = false, isColoured = false } of CASES)
    it(`${name} reads as reviewed`, () => {
      const text = statusText(clusterStatus(view), { nowMs: view.nowMs, paint: painter(isColoured), isWide });
      const path = join(import.meta.dirname, `${name}.txt`);
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text);
      expect(text).to.equal(readFileSync(path, 'utf8'));
      expect(text, 'no blank at the end of a line').not.to.match(/ $/m);
    });
});
