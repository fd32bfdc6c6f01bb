import { expect } from 'chai';
import {
  judgeFlow,
  worstJudgement,
  type ChildState,
  type EndEvidence,
  type FlowEvidence,
  type FlowTraffic,
} from '../../../app/domain/flow-verdict.ts';

const CHILDREN: readonly EndEvidence['child'][] = [
  'sa',
  'trap',
  'loaded',
  'other-selectors',
  'absent',
  { unread: 'no socket' },
];
const HOLDS = [true, false, undefined] as const;
const QUIET: FlowTraffic = { seconds: 5, there: 0, back: 0, seen: 0, isProbed: false };

function flow(
  client: Partial<EndEvidence>,
  endpoint: Partial<EndEvidence> = {},
  traffic: Partial<FlowTraffic> = {},
): FlowEvidence {
  return {
    client: { host: 'worker-0', child: 'trap', holds: true, ...client },
    endpoint: { host: 'controller-0', child: 'trap', holds: true, ...endpoint },
    traffic: { ...QUIET, ...traffic },
  };
}

const isCovered = (child: EndEvidence['child']): boolean => child === 'sa' || child === 'trap';

describe('judgeFlow', () => {
  for (const { name, given, expected } of [
    {
      name: 'traffic in the tunnel',
      given: flow({ child: 'sa' }, { child: 'sa' }, { there: 3, back: 3 }),
      expected: 'PROTECTED',
    },
    { name: 'ready, guarded, quiet', given: flow({}), expected: 'PROTECTED' },
    { name: 'ready and quiet, without a guard', given: flow({ holds: false }), expected: 'UNKNOWN' },
    { name: 'traffic seen, none in a tunnel, guarded', given: flow({}, {}, { seen: 4 }), expected: 'HELD' },
    {
      name: 'traffic seen, none in a tunnel, no guard',
      given: flow({}, { holds: false }, { seen: 4 }),
      expected: 'UNKNOWN',
    },
    { name: 'probed, none in a tunnel, guarded', given: flow({}, {}, { isProbed: true }), expected: 'HELD' },
    {
      name: 'probed, none in a tunnel, guard not readable',
      given: flow({ holds: undefined }, {}, { isProbed: true }),
      expected: 'UNKNOWN',
    },
    { name: 'no trap, guarded', given: flow({ child: 'loaded' }), expected: 'HELD' },
    { name: 'no trap, no guard', given: flow({ child: 'loaded', holds: false }), expected: 'PLAINTEXT' },
    {
      name: 'other flow under its name, no guard',
      given: flow({ child: 'other-selectors', holds: false }),
      expected: 'PLAINTEXT',
    },
    {
      name: 'endpoint without it, no guard there',
      given: flow({}, { child: 'absent', holds: false }),
      expected: 'PLAINTEXT',
    },
    {
      name: 'no trap, guard not readable',
      given: flow({ child: 'absent', holds: undefined }),
      expected: 'UNKNOWN',
    },
    { name: 'charon away, guarded', given: flow({ child: { unread: 'x' } }), expected: 'HELD' },
    {
      name: 'charon away, no guard',
      given: flow({ child: { unread: 'x' }, holds: false }),
      expected: 'UNKNOWN',
    },
    {
      name: 'one end held, the other in plaintext',
      given: flow({ child: 'absent' }, { child: 'absent', holds: false }),
      expected: 'PLAINTEXT',
    },
  ])
    it(`${name}: ${expected}`, () => expect(judgeFlow(given).verdict).to.equal(expected));

  it('is never PROTECTED while an end is not ready, and never without traffic or both guards', () => {
    const ends = CHILDREN.flatMap((child) => HOLDS.map((holds) => ({ child, holds })));
    const flows = ends.flatMap((client) =>
      ends.flatMap((endpoint) => [0, 5].map((there) => flow(client, endpoint, { there }))),
    );
    for (const given of flows) {
      const { client, endpoint, traffic } = given;
      const { verdict, reason } = judgeFlow(given);
      const mayBe =
        isCovered(client.child) &&
        isCovered(endpoint.child) &&
        (traffic.there > 0 || (client.holds === true && endpoint.holds === true));
      expect(verdict === 'PROTECTED', JSON.stringify(given)).to.equal(mayBe);
      expect(reason).to.match(/\S\.$/);
    }
  });

  it('is PLAINTEXT exactly where an end that was read has nothing and no guard', () => {
    const lacking = (child: EndEvidence['child'], holds: boolean | undefined): boolean =>
      (['loaded', 'other-selectors', 'absent'] as (ChildState | object)[]).includes(child) && holds === false;
    for (const child of CHILDREN)
      for (const holds of HOLDS)
        expect(judgeFlow(flow({}, { child, holds })).verdict === 'PLAINTEXT').to.equal(lacking(child, holds));
  });

  it('says which host, and that a guard is missing although traffic is protected', () => {
    const given = flow({ child: 'sa' }, { child: 'sa', holds: false }, { there: 2, back: 1 });
    expect(judgeFlow(given).reason).to.equal(
      '2 packets there and 1 back went through the tunnel in 5 s; no guard holds on controller-0 should charon have a gap.',
    );
  });
});

describe('worstJudgement', () => {
  it('has the reasons of all that are as bad', () => {
    expect(
      worstJudgement([
        { verdict: 'PROTECTED', reason: 'Fine.' },
        { verdict: 'HELD', reason: 'A.' },
        { verdict: 'HELD', reason: 'B.' },
      ]),
    ).to.deep.equal({ verdict: 'HELD', reason: 'A. B.' });
    expect(worstJudgement([]).verdict).to.equal('UNKNOWN');
  });
});
