import { expect } from 'chai';
import { FileError } from '../../../app/runtime/errors.ts';
import { failureLog } from '../../../app/runtime/failure-log.ts';
import { capturedLog } from '../../support/captured-log.ts';
import { virtualClock } from '../../support/virtual-clock.ts';

describe('failureLog', () => {
  it('says a failure at once, the same one once a minute with its number, and counts each', async () => {
    const clock = virtualClock();
    const { log, lines } = capturedLog();
    let counted = 0;
    const failed = failureLog({ clock, log, onEach: () => (counted += 1) });
    for (let second = 0; second < 120; second += 5) {
      failed(new FileError('the disk is full', undefined), 5000.4);
      await clock.advance(5000);
    }
    failed(new FileError('it is read-only', undefined), 5000);
    expect(lines.map(({ reason, timesSince }) => [reason, timesSince])).to.deep.equal([
      ['the disk is full', undefined],
      ['the disk is full', 11],
      ['it is read-only', undefined],
    ]);
    expect(lines[0]).to.include({ level: 'warn', retryMs: 5000 });
    expect(counted).to.equal(25);
  });
});
