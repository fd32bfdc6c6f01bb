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

  const say = async (msg: string, connection = CONNECTION): Promise<void> => {
    fake.emit('log', { group: 'IKE', level: '1', 'ikesa-name': connection, msg });
    // What comes after it on the same connection has passed it.
    fake.emit('log', { group: 'IKE', level: '1', 'ikesa-name': 'last', msg: 'retransmit 1 of request' });
    await until('it is heard', () => ear.heard('last') !== undefined);
    ear.forget('last');
  };

  it('hears why a connection fails, the weightiest first, and tells of it once', async () => {
    await ear.listen(true);
    await say('retransmit 1 of request with message ID 0');
    await say('received AUTHENTICATION_FAILED notify error');
    await say('retransmit 2 of request with message ID 0');
    await say('received AUTHENTICATION_FAILED notify error');
    expect(ear.heard(CONNECTION)?.cause).to.equal('refused');
    expect(ear.heard('k8s-node-controller-1')).to.equal(undefined);
    // Twice for the connection, and once for each of the last lines.
    expect(news).to.equal(2 + 4);
  });

  it('takes a lesser cause when the weightier one was not said for long', async () => {
    await ear.listen(true);
    await say('received AUTHENTICATION_FAILED notify error');
    await clock.advance(160_000);
    await say('retransmit 1 of request with message ID 0');
    expect(ear.heard(CONNECTION)?.cause).to.equal('silent');
  });

  it('forgets when told', async () => {
    await ear.listen(true);
    await say('received AUTHENTICATION_FAILED notify error');
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
