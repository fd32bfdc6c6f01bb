import { expect } from 'chai';
import { ownHost, type OwnHost } from '../../../app/agent/own-host.ts';
import type { HostName } from '../../../app/domain/facts.ts';
import { capturedLog, type CapturedLog } from '../../support/captured-log.ts';
import { CONTROLLER_0, seedFacts } from '../../support/facts-builders.ts';
import { virtualClock, type VirtualClock } from '../../support/virtual-clock.ts';

describe('ownHost', () => {
  let log: CapturedLog;
  let clock: VirtualClock;
  const called = (name: string): OwnHost => ownHost({ self: name as HostName, clock, log: log.log });
  beforeEach(() => {
    log = capturedLog();
    clock = virtualClock();
  });

  it('says nothing of a host that is known, nor while nothing is known', async () => {
    const own = called(CONTROLLER_0);
    own.seen(undefined);
    await clock.advance(60_000);
    own.seen(seedFacts());
    expect([own.isMissing(), log.lines]).to.deep.equal([false, []]);
  });

  it('misses a host of no such name at once, and says so once after half a minute', async () => {
    const own = called('contoller-0');
    own.seen(seedFacts());
    expect([own.isMissing(), log.lines]).to.deep.equal([true, []]);
    for (let second = 0; second < 90; second++) {
      await clock.advance(1000);
      own.seen(seedFacts());
    }
    expect(log.lines.map(({ level, nodeName }) => [level, nodeName])).to.deep.equal([
      ['warn', 'contoller-0'],
    ]);
    expect(log.lines[0]!['cure']).to.contain('NODE_NAME');
  });

  it('says when it is known after all', async () => {
    const own = called(CONTROLLER_0);
    own.seen(seedFacts({ hosts: [] }));
    await clock.advance(30_000);
    own.seen(seedFacts({ hosts: [] }));
    own.seen(seedFacts());
    expect(own.isMissing()).to.equal(false);
    expect(log.lines.map(({ level }) => level)).to.deep.equal(['warn', 'info']);
  });
});
