// Leader election against a real API server: one leader at a time, also when the old one was paused.
import { expect } from 'chai';
import { isConflict } from '../../app/kubernetes/api-error.ts';
import { createFact, replaceFact } from '../../app/kubernetes/write-facts.ts';
import { HOST_FACTS } from '../../app/kubernetes/fact-objects.ts';
import {
  acquireLease,
  LeadershipLostError,
  takeLeaseOver,
  type Leadership,
  type LeaseOptions,
} from '../../app/kubernetes/lease.ts';
import { LEASES } from '../../app/kubernetes/resources.ts';
import { systemClock, type Clock } from '../../app/runtime/clock.ts';
import { parseAddress } from '../../app/domain/ip.ts';
import type { HostName } from '../../app/domain/facts.ts';
import { pausableClock } from '../support/pausable-clock.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';
import { until } from '../support/until.ts';

describe('the Lease', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let name = '';
  let names = 0;
  const failures: Error[] = [];
  const held: Leadership[] = [];
  const never = new AbortController().signal;

  before(async () => {
    cluster = await startTestCluster();
  });
  after(async () => {
    await cluster.stop();
  });
  beforeEach(() => {
    name = `lease-${(names += 1)}`;
    failures.length = 0;
  });
  afterEach(async () => {
    await Promise.all(held.splice(0).map((leadership) => leadership.release()));
  });

  const options = (identity: string, clock: Clock = systemClock): LeaseOptions => ({
    ...{ client: cluster.admin, clock, namespace: 'default', name, identity },
    ...{ leaseSeconds: 5, renewSeconds: 0.3, retrySeconds: 0.1 },
    onFailure: (error) => failures.push(error),
  });
  const acquire = async (identity: string, clock?: Clock): Promise<Leadership> => {
    const leadership = await acquireLease(options(identity, clock), never);
    if (leadership === undefined) expect.fail('not acquired');
    held.push(leadership);
    return leadership;
  };
  const spec = async (): Promise<{ holderIdentity: string; leaseTransitions: number; renewTime: string }> => {
    const lease = await cluster.admin.get(LEASES, { name, namespace: 'default' });
    return (lease as { spec: Awaited<ReturnType<typeof spec>> }).spec;
  };

  it('goes to one of two that try at once, and stays there while it is renewed', async () => {
    const first = acquire('a').then(() => 'a');
    const second = acquire('b').then(() => 'b');
    const winner = await Promise.race([first, second]);
    const { renewTime } = await spec();
    // Longer than a whole lease, which is longer than a loaded machine makes a renewal wait: without renewals the other one would have taken it.
    await new Promise((resolve) => setTimeout(resolve, 7000));
    expect(held).to.have.length(1);
    expect((await spec()).holderIdentity).to.equal(winner);
    expect((await spec()).renewTime).not.to.equal(renewTime);
    await held[0]?.release();
    expect(new Set([await first, await second])).to.deep.equal(new Set(['a', 'b']));
    expect((await spec()).leaseTransitions).to.equal(1);
  });

  it('given back, is taken at once', async () => {
    const first = await acquire('a');
    await first.release();
    expect((await spec()).holderIdentity).to.equal('');
    await acquire('b');
    expect((await spec()).holderIdentity).to.equal('b');
  });

  it('taken back by the same identity needs no waiting', async () => {
    await acquire('a');
    const again = await acquire('a');
    again.check();
  });

  it('tells a paused leader that it leads no more, before it writes', async () => {
    const clock = pausableClock();
    const paused = await acquire('a', clock);
    const fact = { name: 'worker-0' as HostName, addresses: [], prefixes: [] };
    const made = await createFact(cluster.admin, HOST_FACTS, fact);
    const read = (made as { metadata: { uid: string; resourceVersion: string } }).metadata;
    clock.pause();
    const successor = await acquire('b');
    successor.check();
    await replaceFact(cluster.admin, HOST_FACTS, { ...fact, addresses: [parseAddress('10.0.0.1')!] }, read);
    // The old leader wakes up in the middle of a pass: no timer of its own has run yet.
    expect(() => paused.check()).to.throw(LeadershipLostError);
    expect(paused.lost.aborted).to.equal(true);
    const overwritten = await replaceFact(cluster.admin, HOST_FACTS, fact, read).catch(
      (error: unknown) => error,
    );
    expect(isConflict(overwritten)).to.equal(true);
    clock.resume();
    successor.check();
  });

  it('is lost when its time runs out while the API server is away', async () => {
    const leadership = await acquire('a');
    await cluster.stopApiServer();
    await until('it is lost', () => leadership.lost.aborted);
    expect(() => leadership.check()).to.throw(LeadershipLostError);
    expect(failures).not.to.have.length(0);
    await cluster.restartApiServer();
    const again = await acquire('a');
    again.check();
  });

  it('can be taken over, and the holder notices at its next renewal', async () => {
    const leader = await acquire('a');
    const withdraw = await takeLeaseOver(options('withdraw'));
    held.push(withdraw);
    await until('the leader has noticed', () => leader.lost.aborted);
    withdraw.check();
    expect((await spec()).holderIdentity).to.equal('withdraw');
  });

  it('waits for a signal to give up', async () => {
    await acquire('a');
    const candidate = new AbortController();
    const result = acquireLease(options('b'), candidate.signal);
    candidate.abort();
    expect(await result).to.equal(undefined);
  });
});
