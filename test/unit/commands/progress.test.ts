import { expect } from 'chai';
import { progress, type Progress } from '../../../app/commands/progress.ts';
import { virtualClock, type VirtualClock } from '../../support/virtual-clock.ts';

function started(isTerminal: boolean): { clock: VirtualClock; written: string[]; said: Progress } {
  const clock = virtualClock();
  const written: string[] = [];
  return { clock, written, said: progress({ clock, write: (text) => written.push(text), isTerminal }) };
}

describe('progress', () => {
  for (const isTerminal of [true, false])
    it(`says nothing of what takes less than two seconds${isTerminal ? ', on a terminal' : ''}`, async () => {
      const { clock, written, said } = started(isTerminal);
      said.step('reading');
      await clock.advance(1900);
      said.end();
      await clock.advance(10_000);
      expect(written).to.deep.equal([]);
      expect(clock.pending()).to.equal(0);
    });

  it('overwrites its line on a terminal, each second, and wipes it at the end', async () => {
    const { clock, written, said } = started(true);
    said.step('reading');
    await clock.advance(3500);
    said.step('comparing');
    said.end();
    expect(written).to.deep.equal([
      '\r\u001b[Kreading (2 s)',
      '\r\u001b[Kreading (3 s)',
      '\r\u001b[Kcomparing (4 s)',
      '\r\u001b[K',
    ]);
  });

  it('writes a plain line for each long step elsewhere', async () => {
    const { clock, written, said } = started(false);
    said.step('reading');
    await clock.advance(7000);
    said.step('short');
    await clock.advance(1000);
    said.step('comparing');
    await clock.advance(2500);
    said.end();
    expect(written).to.deep.equal(['reading (2 s)\n', 'comparing (10 s)\n']);
  });
});
