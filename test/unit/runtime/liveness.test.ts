import { expect } from 'chai';
import { HOSTS } from '../../../app/kubernetes/resources.ts';
import { hostReader } from '../../../app/kubernetes/read-facts.ts';
import { WatchCache } from '../../../app/kubernetes/watch-cache.ts';
import type { Client } from '../../../app/kubernetes/client.ts';
import { STUCK_MS, stuckPart, type Part } from '../../../app/runtime/liveness.ts';
import { startWorkLoop } from '../../../app/runtime/work-loop.ts';
import { fakeApi } from '../../support/fake-api.ts';
import { virtualClock } from '../../support/virtual-clock.ts';

const never = (): Promise<never> => new Promise(() => undefined);

describe('stuckPart', () => {
  it('names the part that shows no sign of life, after the bound and not before', () => {
    const part = (name: string, stillMs: number): Part => ({ name, stillMs: () => stillMs });
    expect(stuckPart([part('a', 0), part('b', STUCK_MS)])).to.equal(undefined);
    expect(stuckPart([part('a', 0), part('b', STUCK_MS + 1)])).to.equal(
      'b has shown no sign of life for 300 s',
    );
  });

  it('sees a pass that never ends, and none between passes however long', async () => {
    const clock = virtualClock();
    let pass = async (): Promise<undefined> => Promise.resolve(undefined);
    const loop = startWorkLoop({
      clock,
      settleMs: 0,
      pass: () => pass(),
      onFailure: () => undefined,
      onBug: () => undefined,
    });
    const part = { name: 'the pass', stillMs: () => loop.busyMs() };
    loop.trigger();
    await clock.advance(10 * STUCK_MS);
    expect(stuckPart([part])).to.equal(undefined);
    pass = never;
    loop.trigger();
    await clock.advance(STUCK_MS);
    expect(stuckPart([part])).to.equal(undefined);
    await clock.advance(2);
    expect(stuckPart([part])).to.contain('the pass');
  });

  describe('of a watch', () => {
    const watching = (
      client: Client,
    ): { part: Part; advance: (ms: number) => Promise<void>; stop: () => void } => {
      const clock = virtualClock();
      const cache = new WatchCache({
        client,
        resource: HOSTS,
        read: hostReader(),
        clock,
        onChange: () => undefined,
        onFailure: () => undefined,
        onBug: (error) => {
          throw error;
        },
      });
      cache.start();
      const advance = async (ms: number): Promise<void> => {
        for (let step = 0; step < 20; step++) {
          await clock.advance(ms / 20);
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      return {
        part: { name: 'the watch', stillMs: () => cache.stillMs() },
        advance,
        stop: () => void cache.stop(),
      };
    };

    it('that never delivers is stuck', async () => {
      const client = { list: never, watch: never } as unknown as Client;
      const { part, advance } = watching(client);
      await advance(STUCK_MS + 1000);
      expect(stuckPart([part])).to.contain('the watch');
    });

    it('of a server that is away or refuses is not', async () => {
      const api = fakeApi();
      const heal = api.fail('list ipsechosts', { status: 403, reason: 'Forbidden' });
      const { part, advance, stop } = watching(api.client);
      await advance(3 * STUCK_MS);
      expect(stuckPart([part])).to.equal(undefined);
      heal();
      stop();
    });
  });
});
