import { expect } from 'chai';
import { clockCheck } from '../../../app/agent/clock-check.ts';
import { WORKER_0 } from '../../support/facts-builders.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const MINUTE_MS = 60_000;

describe('clockCheck', () => {
  let wall: number;
  let monotonic: number;
  const clock = { now: () => wall, monotonic: () => monotonic };
  const messages = (check: ReturnType<typeof clockCheck>): string[] =>
    check.problems().map(({ message }) => message);

  beforeEach(() => {
    [wall, monotonic] = [NOW, 5000];
  });

  it('says nothing before it knows the time of the API server, nor while the clock is right', () => {
    const check = clockCheck(WORKER_0, clock);
    expect(check.problems()).to.deep.equal([]);
    check.serverTime(NOW - 1999);
    expect(check.problems()).to.deep.equal([]);
    [wall, monotonic] = [wall + 3_600_000, monotonic + 3_600_000];
    expect(check.problems()).to.deep.equal([]);
  });

  for (const [offMs, words] of [
    [-5 * MINUTE_MS, 'about 5 minutes behind'],
    [3 * 60 * MINUTE_MS, 'about 3 hours ahead of'],
    [100 * 1440 * MINUTE_MS, 'about 100 days ahead of'],
  ] as const)
    it(`notices a clock that was set ${words} without another answer, and that it was set right`, () => {
      const check = clockCheck(WORKER_0, clock);
      check.serverTime(NOW);
      wall += offMs;
      const before = messages(check);
      expect(before.join()).to.include(`The clock of worker-0 is ${words}`);
      [wall, monotonic] = [wall + 7000, monotonic + 7000];
      expect(messages(check)).to.deep.equal(before);
      wall -= offMs;
      expect(check.problems()).to.deep.equal([]);
    });
});
