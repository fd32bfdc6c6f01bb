import { expect } from 'chai';
import { startReporter, type Reporter } from '../../../app/agent/reporter.ts';
import type { HostReport } from '../../../app/domain/facts.ts';
import { REPORTS } from '../../../app/kubernetes/resources.ts';
import type { WorldError } from '../../../app/runtime/errors.ts';
import { fakeApi, type FakeApi, type FakeObject } from '../../support/fake-api.ts';
import { virtualClock, type VirtualClock } from '../../support/virtual-clock.ts';
import { report as reported, WORKER_0 } from '../../support/world-builders.ts';

const NAME = 'worker-0';
const FIRST = reported(WORKER_0, []);
const FIRST_STATUS = statusOf(FIRST);
const SECOND: HostReport = { ...FIRST, charonVersion: '6.0.1' };

function statusOf({ host, ...status }: HostReport): object {
  expect(host).to.equal(NAME);
  return status;
}

describe('startReporter', () => {
  let api: FakeApi;
  let clock: VirtualClock;
  let reporter: Reporter;
  let failures: WorldError[];
  let hosts: number;

  /** Time, and what other parts do in it: watches need turns of the event loop, not only of promises. */
  const advance = async (ms: number): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(ms);
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const status = (): unknown => api.get(REPORTS, NAME)?.status;
  const make = (): FakeObject => api.put(REPORTS, { metadata: { name: NAME } });

  beforeEach(() => {
    api = fakeApi();
    clock = virtualClock();
    [failures, hosts] = [[], 3];
    reporter = startReporter({
      client: api.client,
      self: WORKER_0,
      clock,
      hosts: () => hosts,
      random: () => 0.5,
      onFailure: (error) => failures.push(error),
      onBug: (error) => {
        throw error;
      },
    });
  });

  afterEach(async () => reporter.stop());

  it('writes what is offered into its own object', async () => {
    make();
    api.put(REPORTS, { metadata: { name: 'controller-0' } });
    reporter.start();
    reporter.offer(FIRST);
    await advance(100);
    expect(status()).to.deep.equal(FIRST_STATUS);
    expect(api.writes.map(({ what }) => what)).to.deep.equal(['patch ipsechostreports/worker-0']);
  });

  it('writes nothing for the same again, nor for what stands there already', async () => {
    api.put(REPORTS, { metadata: { name: NAME }, status: FIRST_STATUS });
    reporter.start();
    for (let time = 0; time < 5; time++) {
      reporter.offer(structuredClone(FIRST));
      await advance(1000);
    }
    expect(api.writes).to.deep.equal([]);
  });

  it('writes the last of many', async () => {
    make();
    reporter.start();
    await advance(10);
    for (let connections = 0; connections < 50; connections++)
      reporter.offer({ ...FIRST, counters: { ...FIRST.counters, connections } });
    await advance(1000);
    expect(api.writes).to.have.length(1);
    expect(status()).to.have.nested.property('counters.connections', 49);
  });

  it('waits for an object that the manager has not made yet', async () => {
    reporter.start();
    reporter.offer(FIRST);
    await advance(5000);
    expect([api.writes, failures]).to.deep.equal([[], []]);
    make();
    await advance(100);
    expect(status()).to.deep.equal(FIRST_STATUS);
  });

  it('fills an object that was made anew', async () => {
    make();
    reporter.start();
    reporter.offer(FIRST);
    await advance(100);
    api.remove(REPORTS, NAME);
    await advance(100);
    make();
    await advance(100);
    expect(status()).to.deep.equal(FIRST_STATUS);
    expect(api.writes).to.have.length(2);
  });

  it('puts right what somebody else wrote, also when it cannot be read', async () => {
    make();
    reporter.start();
    reporter.offer(FIRST);
    await advance(100);
    api.put(REPORTS, { metadata: { name: NAME }, status: { ...FIRST_STATUS, charonVersion: 'none' } });
    await advance(100);
    expect(status()).to.deep.equal(FIRST_STATUS);
    api.put(REPORTS, { metadata: { name: NAME }, status: { loaded: 'of another version' } });
    await advance(100);
    expect(status()).to.deep.equal(FIRST_STATUS);
  });

  it('takes the last word although its first one comes back late', async () => {
    make();
    reporter.start();
    reporter.offer(FIRST);
    await advance(100);
    const release = api.holdWatches();
    reporter.offer(SECOND);
    await advance(100);
    reporter.offer(FIRST);
    await advance(100);
    release();
    await advance(1000);
    expect(status()).to.deep.equal(FIRST_STATUS);
  });

  it('tries again when the API fails', async () => {
    make();
    const heal = api.fail('patch', { status: 503, reason: 'ServiceUnavailable' });
    reporter.start();
    reporter.offer(FIRST);
    await advance(10_000);
    expect(failures.length).to.be.within(3, 10);
    heal();
    await advance(30_000);
    expect(status()).to.deep.equal(FIRST_STATUS);
  });

  it('takes a moment of its own in a window that gives all hosts 50 writes a second', async () => {
    hosts = 200;
    make();
    reporter.start();
    await advance(100);
    reporter.offer(FIRST);
    await advance(1900);
    expect(api.writes).to.have.length(0);
    await advance(200);
    expect(api.writes).to.have.length(1);
    reporter.offer(SECOND);
    await advance(3700);
    expect(api.writes).to.have.length(1);
    await advance(400);
    expect(api.writes).to.have.length(2);
  });

  it('gives up its turn when the report has come back to what stands there', async () => {
    hosts = 200;
    api.put(REPORTS, { metadata: { name: NAME }, status: FIRST_STATUS });
    reporter.start();
    await advance(100);
    reporter.offer(SECOND);
    await advance(1000);
    reporter.offer(FIRST);
    await advance(10_000);
    expect(api.writes).to.deep.equal([]);
  });
});
