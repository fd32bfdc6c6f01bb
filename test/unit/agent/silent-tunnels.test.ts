import { expect } from 'chai';
import { NOTHING_SILENT, silentTunnels, type Silent } from '../../../app/agent/silent-tunnels.ts';
import type { UnansweredMemory } from '../../../app/agent/unanswered.ts';
import { planHost } from '../../../app/domain/plan-host.ts';
import { childKey } from '../../../app/swanctl/loaded.ts';
import { CONTROLLER_0, seedFacts } from '../../support/facts-builders.ts';
import { config } from '../../support/host-configs.ts';
import { childSa, ikeSa, loaded } from '../../support/loaded-builders.ts';

const CONNECTION = 'k8s-node-controller-1';
const AT = Date.parse('2026-01-01T10:00:00.000Z');

describe('silentTunnels', () => {
  const plan = planHost(seedFacts(), CONTROLLER_0);
  /** `tries` of each child, and what another SA of the same peer has received so far. */
  const look = (
    tries: Readonly<Record<string, number>>,
    {
      nowMs = AT,
      packetsIn = 0,
      before = NOTHING_SILENT,
    }: Partial<{ nowMs: number; packetsIn: number; before: Silent['memory'] }> = {},
  ): Silent => {
    const sa = { ...childSa('other', 7, '172.16.192.64/26[udp]', '172.16.166.178/32[udp/53]'), packetsIn };
    const unanswered: UnansweredMemory = new Map(
      Object.entries(tries).map(([child, count]) => [
        childKey(CONNECTION, child),
        { uniqueId: 1, packetsIn: 0, packetsOut: 1, tries: count, notBeforeMs: 0 },
      ]),
    );
    return silentTunnels({
      plan,
      loaded: loaded(config(), ikeSa(CONNECTION, 1, { children: [sa] })),
      unanswered,
      nowMs,
      before,
    });
  };

  it('says nothing of what is answered, or was made anew only once', () => {
    expect(look({ a: 0, b: 1 }).problems).to.deep.equal([]);
  });

  it('names the peer, since when, and what to check, in the same words while it lasts', () => {
    const first = look({ a: 1 });
    const second = look({ a: 2 }, { nowMs: AT + 12_000, before: first.memory });
    expect(second.problems.map(({ reason, subject }) => `${reason} ${subject}`)).to.deep.equal([
      'TunnelSilent controller-1',
    ]);
    expect(second.problems[0]?.message).to.match(
      /from controller-0 to controller-1 .* since 2026-01-01T10:00:00Z.*ESP/,
    );
    expect(look({ a: 3 }, { nowMs: AT + 60_000, before: second.memory }).problems).to.deep.equal(
      second.problems,
    );
  });

  it('says nothing of the network while other tunnels of the same peer bring answers', () => {
    const first = look({ a: 1 });
    const second = look({ a: 2 }, { nowMs: AT + 12_000, packetsIn: 5, before: first.memory });
    expect(second.problems).to.deep.equal([]);
    expect(
      look({ a: 3 }, { nowMs: AT + 60_000, packetsIn: 5, before: second.memory }).problems,
    ).to.deep.equal([]);
  });

  it('is over with the first answer', () => {
    const first = look({ a: 2 });
    expect(first.problems).to.have.length(1);
    expect(look({ a: 0 }, { nowMs: AT + 1000, before: first.memory }).problems).to.deep.equal([]);
  });
});
