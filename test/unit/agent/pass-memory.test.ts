import { expect } from 'chai';
import { leftOverWatch } from '../../../app/agent/left-over-watch.ts';
import { passMemory } from '../../../app/agent/pass-memory.ts';
import type { CharonSession } from '../../../app/agent/charon-link.ts';
import type { Step } from '../../../app/swanctl/steps.ts';
import { config, DNS_EGRESS, peer } from '../../support/host-configs.ts';
import { loaded } from '../../support/loaded-builders.ts';

const { name: connection } = peer('worker-0', [DNS_EGRESS]);
const ended = (uniqueId: number): Step => ({ kind: 'terminate-ike', connection, uniqueId });
const someSession = (): CharonSession => ({ sent: new Map() }) as unknown as CharonSession;

describe('leftOverWatch', () => {
  it('calls stale what was left over for 2 s, however often it was looked at', () => {
    const watch = leftOverWatch();
    for (const nowMs of [0, 1, 2, 1999]) {
      watch.seen(new Set([7]), nowMs);
      expect([...watch.stale(nowMs)]).to.deep.equal([]);
      expect(watch.nextInMs(nowMs)).to.equal(2000 - nowMs);
    }
    expect([...watch.stale(2000)]).to.deep.equal([7]);
    expect(watch.nextInMs(2000)).to.equal(Infinity);
  });

  it('begins anew for what had gone in between', () => {
    const watch = leftOverWatch();
    watch.seen(new Set([7]), 0);
    watch.seen(new Set(), 1000);
    watch.seen(new Set([7]), 1500);
    expect([...watch.stale(3000)]).to.deep.equal([]);
    watch.clear();
    expect(watch.nextInMs(0)).to.equal(Infinity);
  });
});

describe('passMemory', () => {
  it('asks nothing of the same IKE_SA within a minute', () => {
    const { asked } = passMemory();
    asked.note([ended(1), { kind: 'reauthenticate', connection, uniqueId: 2 }], 0);
    asked.note([ended(3)], 30_000);
    expect([...asked.current(60_000)]).to.deep.equal([1, 2, 3]);
    expect([...asked.current(60_001)]).to.deep.equal([3]);
  });

  it('forgets ids with the session that they belong to', () => {
    const memory = passMemory();
    const session = someSession();
    expect(memory.meets(session, 0)).to.equal(true);
    memory.asked.note([ended(1)], 0);
    memory.leftOvers.seen(new Set([7]), 0);
    expect(memory.meets(session, 0)).to.equal(false);
    expect([...memory.asked.current(1)]).to.deep.equal([1]);
    expect(memory.meets(someSession(), 0)).to.equal(true);
    expect([...memory.asked.current(1)]).to.deep.equal([]);
    expect([...memory.leftOvers.stale(9000)]).to.deep.equal([]);
  });

  describe('isStarting', () => {
    const nothing = loaded(config());
    const something = loaded(config(peer('worker-0', [DNS_EGRESS])));

    it('is false for the first charon, which may have been there for months without a connection', () => {
      const memory = passMemory();
      memory.meets(someSession(), 0);
      expect(memory.isStarting(nothing, 1)).to.equal(false);
    });

    it('is true for a restarted one until it has a connection, 5 s at most', () => {
      const memory = passMemory();
      memory.meets(someSession(), 0);
      memory.meets(someSession(), 10_000);
      expect(memory.isStarting(nothing, 10_001)).to.equal(true);
      expect(memory.isStarting(something, 10_002)).to.equal(false);
      expect(memory.isStarting(nothing, 15_000)).to.equal(false);
    });
  });
});
