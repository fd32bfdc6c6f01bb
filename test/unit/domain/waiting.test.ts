// The bound on waits, with times as values.
import { expect } from 'chai';
import type { HostName } from '../../../app/domain/facts.ts';
import { MAX_WAIT_MS, NO_WAITS, tick, type Waiting } from '../../../app/domain/waiting.ts';
import { CONTROLLER_0, port, WORKER_0 } from '../../support/world-builders.ts';

const wait = (stage: Waiting['stage'], ...hosts: readonly HostName[]): Waiting => ({
  ...port('tcp/53'),
  stage,
  service: 'ns/svc',
  hosts,
});
const behind = (...hosts: readonly HostName[]): Map<string, HostName[]> => new Map([['ns/svc', [...hosts]]]);

describe('tick', () => {
  const held = { waiting: [wait('prepare', WORKER_0)], lagging: behind(WORKER_0) };

  it('says when to look again', () => {
    const first = tick(NO_WAITS, held, 1000);
    expect(first.wakeAtMs).to.equal(1000 + MAX_WAIT_MS);
    expect(tick(first, held, 5000).wakeAtMs).to.equal(1000 + MAX_WAIT_MS);
    expect(tick(first, { waiting: [], lagging: new Map() }, 5000).wakeAtMs).to.equal(undefined);
  });

  it('gives a host up after the bound and not before', () => {
    const first = tick(NO_WAITS, held, 0);
    expect([...tick(first, held, MAX_WAIT_MS - 1).overdue]).to.deep.equal([]);
    expect([...tick(first, held, MAX_WAIT_MS).overdue]).to.deep.equal([WORKER_0]);
  });

  it('times the wait, not the hosts that it is for', () => {
    const first = tick(NO_WAITS, held, 0);
    const other = { waiting: [wait('prepare', CONTROLLER_0)], lagging: behind(CONTROLLER_0) };
    expect([...tick(tick(first, other, 20_000), held, MAX_WAIT_MS).overdue]).to.deep.equal([WORKER_0]);
  });

  it('begins anew with the next stage', () => {
    const first = tick(NO_WAITS, held, 0);
    const next = { waiting: [wait('protect', WORKER_0)], lagging: behind(WORKER_0) };
    expect([...tick(tick(first, next, 20_000), next, MAX_WAIT_MS).overdue]).to.deep.equal([]);
  });

  it('keeps a host given up until it has caught up with the service', () => {
    const over = tick(tick(NO_WAITS, held, 0), held, MAX_WAIT_MS);
    const late = { waiting: [], lagging: behind(WORKER_0) };
    expect([...tick(over, late, MAX_WAIT_MS + 1).overdue]).to.deep.equal([WORKER_0]);
    expect([...tick(over, { waiting: [], lagging: behind() }, MAX_WAIT_MS + 1).overdue]).to.deep.equal([]);
  });

  it('tells that there has been nobody to wait for', () => {
    const nobody = { waiting: [wait('prepare')], lagging: behind() };
    const first = tick(NO_WAITS, nobody, 0);
    expect(first.noAgentsOverdue).to.equal(false);
    expect(tick(first, nobody, MAX_WAIT_MS).noAgentsOverdue).to.equal(true);
  });
});
