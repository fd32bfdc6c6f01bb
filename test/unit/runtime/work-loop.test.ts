import { expect } from 'chai';
import { FileError, SettingsError } from '../../../app/runtime/errors.ts';
import { startWorkLoop, type WorkLoop } from '../../../app/runtime/work-loop.ts';
import { virtualClock } from '../../support/virtual-clock.ts';

interface Harness {
  readonly loop: WorkLoop;
  readonly advance: (ms: number) => Promise<void>;
  readonly runs: number[];
  readonly failures: number[];
  readonly bugs: unknown[];
}

function harness(pass: (run: number) => number | undefined | Promise<number | undefined>): Harness {
  const clock = virtualClock();
  const [runs, failures, bugs]: [number[], number[], unknown[]] = [[], [], []];
  const loop = startWorkLoop({
    clock,
    settleMs: 10,
    random: () => 1,
    pass: async () => {
      runs.push(clock.monotonic());
      return pass(runs.length);
    },
    onFailure: (_, retryMs) => failures.push(retryMs),
    onBug: (error) => bugs.push(error),
  });
  return { loop, advance: (ms) => clock.advance(ms), runs, failures, bugs };
}

describe('startWorkLoop', () => {
  it('waits for the first trigger and makes one pass of a burst', async () => {
    const { loop, advance, runs } = harness(() => undefined);
    await advance(1000);
    expect(runs).to.deep.equal([]);
    for (let i = 0; i < 5; i++) loop.trigger();
    await advance(1000);
    expect(runs).to.deep.equal([1010]);
  });

  it('runs once more when triggered during a pass', async () => {
    let finish: () => void = () => undefined;
    const { loop, advance, runs } = harness((run) =>
      run === 1 ? new Promise((resolve) => (finish = () => resolve(undefined))) : undefined,
    );
    loop.trigger();
    await advance(10);
    loop.trigger();
    loop.trigger();
    await advance(100);
    expect(runs).to.have.length(1);
    finish();
    await advance(100);
    expect(runs).to.have.length(2);
  });

  it('comes back when the pass asks for it', async () => {
    const { loop, advance, runs } = harness((run) => (run === 1 ? 500 : undefined));
    loop.trigger();
    await advance(509);
    expect(runs).to.have.length(1);
    await advance(1);
    expect(runs).to.have.length(2);
    await advance(10_000);
    expect(runs).to.have.length(2);
  });

  it('retries a failure of the world with growing pauses, and starts small again after a success', async () => {
    const { loop, advance, failures } = harness((run) => {
      if (run === 4) return undefined;
      throw new FileError('no space');
    });
    loop.trigger();
    await advance(2000);
    expect(failures).to.deep.equal([200, 400, 800]);
    loop.trigger();
    await advance(20);
    expect(failures).to.deep.equal([200, 400, 800, 200]);
  });

  it('a trigger during backoff does not wait for its end', async () => {
    const { loop, advance, runs } = harness(() => {
      throw new FileError('no space');
    });
    loop.trigger();
    await advance(10);
    loop.trigger();
    await advance(10);
    expect(runs).to.deep.equal([10, 20]);
  });

  for (const [name, error] of [
    ['a bug', new TypeError('undefined is not a function')],
    ['an error that never heals', new SettingsError('wrong')],
  ] as const) {
    it(`stops at ${name} and hands it over`, async () => {
      const { loop, advance, runs, bugs } = harness(() => {
        throw error;
      });
      loop.trigger();
      await advance(10);
      loop.trigger();
      await advance(100_000);
      expect(runs).to.have.length(1);
      expect(bugs).to.deep.equal([error]);
    });
  }

  it('stop waits for the running pass and starts none afterwards', async () => {
    let finish: () => void = () => undefined;
    const { loop, advance, runs } = harness(() => new Promise((resolve) => (finish = () => resolve(1))));
    loop.trigger();
    await advance(10);
    let ended = false;
    const stopping = loop.stop().then(() => (ended = true));
    await advance(10);
    expect(ended).to.equal(false);
    finish();
    await stopping;
    loop.trigger();
    await advance(1000);
    expect(runs).to.have.length(1);
  });
});
