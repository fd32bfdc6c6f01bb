// One session against the fake charon: order, streams, events, and every way a session ends.
import { mock } from 'node:test';
import { expect } from 'chai';
import type { Tree } from '../../app/swanctl/tree.ts';
import { ViciClosedError, ViciCommandError, ViciProtocolError } from '../../app/vici/errors.ts';
import { openSession } from '../../app/vici/session.ts';
import type { Session } from '../../app/vici/session.ts';
import { startFakeCharon } from '../support/fake-charon.ts';
import type { FakeCharon, FakeCharonOptions } from '../support/fake-charon.ts';

const LONG_MS = 60_000;

describe('a VICI session', () => {
  let charon: FakeCharon;
  let session: Session;
  let hasEnded: boolean;
  const start = async (options: FakeCharonOptions & { timeoutMs?: number } = {}): Promise<void> => {
    charon = await startFakeCharon(options);
    session = await openSession({ path: charon.path, timeoutMs: options.timeoutMs ?? LONG_MS });
    hasEnded = false;
    void session.closed.then(() => (hasEnded = true));
  };
  afterEach(async () => {
    session.close();
    await charon.stop();
  });

  const load = (name: string): Promise<Tree> => session.request('load-conn', { [name]: {} });
  const listConns = async (): Promise<string[]> =>
    (await session.stream('list-conns', 'list-conn', {})).messages.flatMap((tree) => Object.keys(tree));

  it('gives each of 1,000 outstanding requests its own answer, in order', async () => {
    await start();
    const release = charon.hold('load-conn');
    charon.refuse('load-conn', 'number 500', { when: (message) => 'c500' in message });
    const numbers = [...Array(1000).keys()];
    const answers: Tree[] = [];
    const all = numbers.map(async (number) => {
      answers.push({ ...(await load(`c${number}`)), asked: String(number) });
    });
    await charon.arrived('load-conn');
    expect(charon.commands).to.deep.equal([]);
    release();
    await Promise.all(all);
    expect(answers).to.deep.equal(
      numbers.map((number) => ({
        ...(number === 500 ? { success: 'no', errmsg: 'number 500' } : { success: 'yes' }),
        asked: String(number),
      })),
    );
    expect(charon.commands.map(({ message }) => Object.keys(message))).to.deep.equal(
      numbers.map((number) => [`c${number}`]),
    );
  });

  for (const pieceBytes of [1, 2, 3, 7])
    it(`understands charon when its bytes come in pieces of ${pieceBytes}`, async () => {
      await start({ pieceBytes });
      await Promise.all([load('a'), load('b')]);
      const [first, version, second] = await Promise.all([
        listConns(),
        session.request('version', {}),
        listConns(),
      ]);
      expect(first).to.deep.equal(['a', 'b']);
      expect(version).to.have.property('daemon', 'charon');
      expect(second).to.deep.equal(['a', 'b']);
    });

  it('gives pipelined streams only their own events', async () => {
    await start();
    const [none, , one, , two] = await Promise.all([
      listConns(),
      load('a'),
      listConns(),
      load('b'),
      listConns(),
    ]);
    expect([none, one, two]).to.deep.equal([[], ['a'], ['a', 'b']]);
  });

  it('registers a streamed event for the duration only', async () => {
    await start();
    await load('a');
    await listConns();
    // Still registered, this would be an event that nobody asked for.
    charon.emit('list-conn', { stray: {} });
    expect(await session.request('version', {})).to.have.property('daemon');
  });

  describe('when a streamed command fails', () => {
    const inStep = async (): Promise<void> => {
      charon.unknown.clear();
      await load('after');
      expect(await listConns()).to.include('after');
    };

    it('stays in step after an unknown command', async () => {
      await start();
      charon.unknown.add('list-conns');
      const error = await rejected(listConns());
      expect(error).to.be.instanceOf(ViciCommandError).with.property('command', 'list-conns');
      expect(error).to.have.property('retry', 'never');
      await inStep();
    });

    it('stays in step after an unknown event', async () => {
      await start();
      charon.unknown.add('list-conn');
      expect(await rejected(listConns())).to.be.instanceOf(ViciCommandError);
      await inStep();
    });

    it('stays in step with requests that were sent behind it', async () => {
      await start();
      charon.unknown.add('list-conns');
      const [failed, loaded, version] = await Promise.all([
        rejected(listConns()),
        load('behind'),
        session.request('version', {}),
      ]);
      expect(failed).to.be.instanceOf(ViciCommandError);
      expect(loaded).to.deep.equal({ success: 'yes' });
      expect(version).to.have.property('daemon', 'charon');
      await inStep();
    });

    it('stays in step after a refusal', async () => {
      await start();
      charon.refuse('list-conns', 'not now', { times: 1 });
      const { messages, response } = await session.stream('list-conns', 'list-conn', {});
      expect(messages).to.deep.equal([]);
      expect(response).to.deep.equal({ success: 'no', errmsg: 'not now' });
      await inStep();
    });

    it('stays in step when the command could not be sent at all', async () => {
      await start();
      const error = await rejected(session.stream('list-conns', 'list-conn', { ike: 'x'.repeat(70_000) }));
      expect(error).to.be.instanceOf(ViciProtocolError).with.property('retry', 'on-change');
      expect(charon.commands).to.deep.equal([]);
      await inStep();
    });
  });

  describe('listen', () => {
    it('gets events while requests and streams are under way', async () => {
      await start();
      const seen: string[] = [];
      await session.listen('ike-updown', (event, message) =>
        seen.push(`${event} ${Object.keys(message)[0]}`),
      );
      await load('a');
      const release = charon.hold('list-conns');
      const listing = listConns();
      await charon.arrived('list-conns');
      charon.emit('ike-updown', { one: {} });
      release();
      charon.emit('ike-updown', { two: {} });
      expect(await listing).to.deep.equal(['a']);
      await session.request('version', {});
      expect(seen).to.deep.equal(['ike-updown one', 'ike-updown two']);
    });

    it('registers an event once for several handlers', async () => {
      await start();
      const seen: string[] = [];
      await Promise.all([
        session.listen('ike-updown', () => seen.push('first')),
        session.listen('ike-updown', () => seen.push('second')),
      ]);
      charon.emit('ike-updown', {});
      await session.request('version', {});
      expect(seen).to.deep.equal(['first', 'second']);
    });

    it('calls nobody any more once the session is closed', async () => {
      await start();
      let calls = 0;
      await session.listen('log', () => {
        calls += 1;
        session.close();
      });
      const event = '\0\0\0\x05\x07\x03log';
      charon.sendRaw(Buffer.from(event + event, 'latin1'));
      expect(await session.closed).to.equal(undefined);
      expect(calls).to.equal(1);
    });

    it('rejects for an event that charon does not know, and goes on', async () => {
      await start();
      charon.unknown.add('ike-update');
      const error = await rejected(session.listen('ike-update', () => undefined));
      expect(error).to.be.instanceOf(ViciCommandError).with.property('retry', 'never');
      expect(await load('a')).to.deep.equal({ success: 'yes' });
    });

    it('refuses the events of streamed commands: charon would send them twice', async () => {
      await start();
      expect(await rejected(session.listen('list-sa', () => undefined))).to.have.property('name', 'Error');
    });
  });

  it('rejects a request that is too large without sending it, and goes on', async () => {
    await start();
    const large = Object.fromEntries([...Array(10).keys()].map((index) => [`k${index}`, 'v'.repeat(60_000)]));
    const error = await rejected(session.request('load-conn', { a: large }));
    expect(error).to.be.instanceOf(ViciProtocolError).with.property('retry', 'on-change');
    expect(await load('a')).to.deep.equal({ success: 'yes' });
  });

  describe('ends', () => {
    it('by close(): everything unanswered rejects, closed has no reason', async () => {
      await start();
      charon.hold('version');
      const pending = [session.request('version', {}), load('a'), listConns()].map(rejected);
      await charon.arrived('version');
      session.close();
      for (const error of await Promise.all(pending)) expect(error).to.be.instanceOf(ViciClosedError);
      expect(await session.closed).to.equal(undefined);
      expect(await rejected(load('b')))
        .to.be.instanceOf(ViciClosedError)
        .with.property('retry', 'soon');
      expect(charon.connections.size).to.equal(0);
    });

    it('when charon goes away: everything unanswered rejects, closed says why', async () => {
      await start();
      charon.hold('version');
      const pending = [session.request('version', {}), load('a'), listConns()].map(rejected);
      await charon.arrived('version');
      charon.dropClients();
      for (const error of await Promise.all(pending)) expect(error).to.be.instanceOf(ViciClosedError);
      expect(await session.closed).to.be.instanceOf(ViciClosedError);
    });

    it('when charon goes away while nothing is asked', async () => {
      await start();
      await load('a');
      charon.restart();
      expect(await session.closed).to.be.instanceOf(ViciClosedError);
    });

    for (const { given, raw, says } of [
      { given: 'an answer that nobody asked for', raw: '\0\0\0\x01\x01', says: /no answer to anything/ },
      { given: 'an event that nobody registered', raw: '\0\0\0\x03\x07\x01x', says: /nobody registered/ },
      { given: 'a request', raw: '\0\0\0\x03\0\x01x', says: /request is no answer/ },
      { given: 'an unknown packet type', raw: '\0\0\0\x01\x09', says: /packet type 9/ },
      { given: 'a broken message', raw: '\0\0\0\x02\x01\x02', says: /broken/ },
      { given: 'a frame that is too long', raw: '\x7f\0\0\0', says: /at most/ },
    ])
      it(`on ${given}`, async () => {
        await start();
        await load('a');
        charon.sendRaw(Buffer.from(raw, 'latin1'));
        const reason = await session.closed;
        expect(reason).to.be.instanceOf(ViciProtocolError).with.property('retry', 'soon');
        expect(reason?.message).to.match(says);
      });

    it('on the wrong kind of answer; the one who waited is told', async () => {
      await start();
      charon.hold('version');
      const pending = rejected(session.request('version', {}));
      await charon.arrived('version');
      charon.sendRaw(Buffer.from('\0\0\0\x01\x05', 'latin1'));
      const error = await pending;
      expect(error).to.be.instanceOf(ViciClosedError);
      expect(error.cause).to.be.instanceOf(ViciProtocolError);
      expect(await session.closed).to.equal(error.cause);
    });

    it('ignores what came behind the bytes that broke it', async () => {
      await start();
      charon.hold('version');
      const pending = rejected(session.request('version', {}));
      await charon.arrived('version');
      charon.sendRaw(Buffer.from('\0\0\0\x01\x09\0\0\0\x01\x01', 'latin1'));
      expect(await pending).to.be.instanceOf(ViciClosedError);
    });
  });

  describe('with virtual time', () => {
    beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
    afterEach(() => mock.timers.reset());
    const turns = async (): Promise<void> => {
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    };

    it('ends when charon is silent for the timeout: the answer could no longer be told from the next', async () => {
      await start({ timeoutMs: 5000 });
      charon.hold('version');
      const pending = [session.request('version', {}), load('a')].map(rejected);
      await charon.arrived('version');
      mock.timers.tick(4999);
      await turns();
      expect(hasEnded).to.equal(false);
      mock.timers.tick(1);
      const [first, second] = await Promise.all(pending);
      expect(first).to.be.instanceOf(ViciClosedError).with.property('retry', 'soon');
      expect(second).to.be.instanceOf(ViciClosedError);
      expect((await session.closed)?.message).to.match(/did not answer version within 5000 ms/);
    });

    it('counts the time of a request from when it is the oldest', async () => {
      await start({ timeoutMs: 5000 });
      const names = ['version', 'get-conns'];
      const [releaseVersion, releaseNames] = names.map((name) => charon.hold(name));
      const version = session.request('version', {});
      const connections = session.request('get-conns', {});
      await charon.arrived('version');
      mock.timers.tick(4000);
      releaseVersion?.();
      await version;
      mock.timers.tick(4000);
      await turns();
      releaseNames?.();
      expect(await connections).to.deep.equal({ conns: [] });
    });

    it('does not give a dead charon more time for each new request', async () => {
      await start({ timeoutMs: 5000 });
      charon.hold('version');
      const first = rejected(session.request('version', {}));
      await charon.arrived('version');
      mock.timers.tick(3000);
      const second = rejected(load('a'));
      mock.timers.tick(3000);
      expect(await first).to.be.instanceOf(ViciClosedError);
      expect(await second).to.be.instanceOf(ViciClosedError);
    });

    it('gives a request its own time', async () => {
      await start({ timeoutMs: 5000 });
      const release = charon.hold('version');
      const version = session.request('version', {}, 20_000);
      await charon.arrived('version');
      mock.timers.tick(19_000);
      await turns();
      release();
      expect(await version).to.have.property('daemon');
    });

    it('starts the time of a stream anew with each of its events', async () => {
      await start({ timeoutMs: 5000 });
      const release = charon.hold('list-conns');
      const listing = listConns();
      await charon.arrived('list-conns');
      for (const name of ['a', 'b', 'c']) {
        mock.timers.tick(4000);
        charon.emit('list-conn', { [name]: {} });
        await turns();
      }
      mock.timers.tick(4000);
      release();
      expect(await listing).to.deep.equal(['a', 'b', 'c']);
    });

    it('does not blame charon when the answer lies in the socket and our own process was busy', async () => {
      await start({ timeoutMs: 5000 });
      const release = charon.hold('version');
      const version = session.request('version', {});
      await charon.arrived('version');
      await turns();
      // Written and not read yet when the time is up: what a blocked event loop finds when it runs again.
      release();
      mock.timers.tick(6000);
      expect(await version).to.have.property('daemon');
      expect(hasEnded).to.equal(false);
    });

    it('runs no time while nothing is asked', async () => {
      await start({ timeoutMs: 5000 });
      await load('a');
      mock.timers.tick(50_000);
      await turns();
      expect(await load('b')).to.deep.equal({ success: 'yes' });
    });
  });
});

describe('openSession', () => {
  it('rejects with ViciClosedError when there is no socket', async () => {
    const error = await rejected(openSession({ path: '/nonexistent/charon.vici', timeoutMs: LONG_MS }));
    expect(error).to.be.instanceOf(ViciClosedError).with.property('retry', 'soon');
    expect(error.message).to.match(/ENOENT/);
  });
});

async function rejected(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('expected a rejection');
}
