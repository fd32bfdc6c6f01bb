import { expect } from 'chai';
import { charonEar, type CharonEar } from '../../../app/agent/charon-ear.ts';
import { startFakeCharon, type FakeCharon } from '../../support/fake-charon.ts';
import { until } from '../../support/until.ts';
import { virtualClock, type VirtualClock } from '../../support/virtual-clock.ts';

const CONNECTION = 'k8s-node-worker-0';

describe('charonEar', () => {
  let fake: FakeCharon;
  let clock: VirtualClock;
  let ear: CharonEar;
  let news: number;

  beforeEach(async () => {
    fake = await startFakeCharon();
    [clock, news] = [virtualClock(), 0];
    ear = charonEar({ path: fake.path, timeoutMs: 2000, clock, onNews: () => (news += 1) });
  });

  afterEach(async () => {
    ear.close();
    await fake.stop();
  });

  const say = async (attempt: number, msg: string): Promise<void> => {
    const log = (connection: string, line: string): void =>
      fake.emit('log', {
        group: 'IKE',
        level: '1',
        'ikesa-name': connection,
        'ikesa-uniqued': String(attempt),
        msg: line,
      });
    log(CONNECTION, msg);
    // What comes after it on the same connection has passed it.
    log('last', 'retransmit 1 of request');
    await until('it is heard', () => ear.heard('last') !== undefined);
    ear.forget('last');
  };
  /** News of the connection: each last line is one as well. */
  const newsAfter = (lines: number): number => news - lines;

  it('hears why a connection fails and tells of each cause once', async () => {
    await ear.listen(true);
    await say(1, 'retransmit 1 of request with message ID 0');
    await say(2, 'received AUTHENTICATION_FAILED notify error');
    await say(3, 'retransmit 1 of request with message ID 0');
    await say(4, 'received AUTHENTICATION_FAILED notify error');
    expect(ear.heard(CONNECTION)?.cause).to.equal('refused');
    expect(ear.heard('k8s-node-controller-1')).to.equal(undefined);
    expect(newsAfter(4)).to.equal(2);
  });

  it('takes the first cause of an attempt: later ones are of certificates that charon remembers', async () => {
    await ear.listen(true);
    await say(1, 'no issuer certificate found for "CN=ipsec-worker-0"');
    await say(1, 'subject certificate invalid (valid from A to B)');
    await say(1, 'received AUTHENTICATION_FAILED notify error');
    expect(ear.heard(CONNECTION)?.cause).to.equal('unknown-issuer');
  });

  it('takes the cause of the next attempt when that is another one', async () => {
    await ear.listen(true);
    await say(1, 'subject certificate invalid (valid from A to B)');
    await say(2, 'no issuer certificate found for "CN=ipsec-worker-0"');
    expect(ear.heard(CONNECTION)?.cause).to.equal('unknown-issuer');
  });

  it('takes a lesser cause when the weightier one was not said for long', async () => {
    await ear.listen(true);
    await say(1, 'received AUTHENTICATION_FAILED notify error');
    await clock.advance(160_000);
    await say(2, 'retransmit 1 of request with message ID 0');
    expect(ear.heard(CONNECTION)?.cause).to.equal('silent');
  });

  it('forgets when told', async () => {
    await ear.listen(true);
    await say(1, 'received AUTHENTICATION_FAILED notify error');
    ear.forget(CONNECTION);
    expect(ear.heard(CONNECTION)).to.equal(undefined);
  });

  it('listens only while it is wanted, and to the next charon too', async () => {
    await ear.listen(true);
    await ear.listen(false);
    await ear.listen(true);
    fake.dropClients();
    await until('the next one is listened to', async () => {
      await ear.listen(true);
      fake.emit('log', { 'ikesa-name': CONNECTION, msg: 'giving up after 3 retransmits' });
      return ear.heard(CONNECTION) !== undefined;
    });
  });

  it('is deaf and no failure without charon', async () => {
    await fake.stop();
    await ear.listen(true);
    expect(ear.heard(CONNECTION)).to.equal(undefined);
    fake = await startFakeCharon();
  });
});
