import { expect } from 'chai';
import { changeTimer } from '../../../app/agent/change-timer.ts';

describe('changeTimer', () => {
  it('takes the time from the first change to the pass that leaves nothing undone', () => {
    let nowMs = 0;
    const times: number[] = [];
    const timer = changeTimer({ monotonic: () => nowMs }, (ms) => times.push(ms));
    timer.applied(5, true);
    timer.began();
    nowMs = 100;
    timer.began();
    timer.applied(3, false);
    nowMs = 400;
    timer.applied(0, true);
    expect(times).to.deep.equal([400]);
    timer.began();
    timer.applied(0, true);
    timer.applied(2, true);
    expect(times, 'one that asked nothing of this host').to.deep.equal([400]);
  });
});
