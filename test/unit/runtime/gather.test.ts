import { expect } from 'chai';
import { gather } from '../../../app/runtime/gather.ts';
import { virtualClock } from '../../support/virtual-clock.ts';

describe('gather', () => {
  it('makes one call of many, a while after the first, and begins anew after it', async () => {
    const clock = virtualClock();
    const calls: number[] = [];
    const call = gather(clock, 100, () => calls.push(clock.monotonic()));
    const startedMs = clock.monotonic();
    call();
    await clock.advance(60);
    call();
    call();
    await clock.advance(39);
    expect(calls).to.deep.equal([]);
    await clock.advance(1);
    await clock.advance(500);
    expect(calls).to.deep.equal([startedMs + 100]);
    call();
    await clock.advance(100);
    expect(calls).to.deep.equal([startedMs + 100, startedMs + 700]);
  });
});
