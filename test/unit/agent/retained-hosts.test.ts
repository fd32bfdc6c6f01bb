import { expect } from 'chai';
import { NO_HOSTS, retainHosts, type RetainedHosts } from '../../../app/agent/retained-hosts.ts';
import { CONTROLLER_0, host, SEED_HOSTS } from '../../support/facts-builders.ts';

const [OWN, PEER, WORKER] = SEED_HOSTS as [
  (typeof SEED_HOSTS)[0],
  (typeof SEED_HOSTS)[0],
  (typeof SEED_HOSTS)[0],
];
const at = (nowMs: number): { self: typeof CONTROLLER_0; nowMs: number } => ({ self: CONTROLLER_0, nowMs });
const names = ({ hosts }: RetainedHosts): string[] => hosts.map(({ name }) => name).sort();
const ALL = ['controller-0', 'controller-1', 'worker-0'];

describe('retainHosts', () => {
  const known = retainHosts(NO_HOSTS, SEED_HOSTS, at(0));

  it('takes what is there, in its present form', () => {
    const moved = host('worker-0', ['192.168.206.77'], []);
    const after = retainHosts(known, [OWN, PEER, moved], at(1));
    expect(after.hosts).to.deep.equal([OWN, PEER, moved]);
    expect(after.problems).to.deep.equal([]);
  });

  it('lets a host go after a while, however often it is asked', () => {
    let state = known;
    for (const nowMs of [100, 2000, 5099]) {
      state = retainHosts(state, [OWN, PEER], at(nowMs));
      expect([names(state), state.problems]).to.deep.equal([ALL, []]);
    }
    expect(names(retainHosts(state, [OWN, PEER], at(5100)))).to.deep.equal(['controller-0', 'controller-1']);
  });

  it('forgets that a host was missing once it is back', () => {
    const missing = retainHosts(known, [OWN, PEER], at(100));
    const back = retainHosts(missing, SEED_HOSTS, at(200));
    expect(names(retainHosts(back, [OWN, PEER], at(5150)))).to.deep.equal(ALL);
  });

  it('keeps all while its own host is missing, and says so; they go one by one', () => {
    const first = retainHosts(known, [OWN, WORKER], at(10));
    const second = retainHosts(first, [OWN], at(20));
    const last = retainHosts(second, [], at(30));
    const muchLater = retainHosts(last, [], at(3_600_000));
    for (const state of [first, second, last, muchLater]) expect(names(state)).to.deep.equal(ALL);
    expect(muchLater.problems.map(({ reason, subject }) => [reason, subject])).to.deep.equal([
      ['FactsVanished', 'controller-0'],
    ]);
    expect(names(retainHosts(muchLater, [OWN], at(3_600_001)))).to.deep.equal(['controller-0']);
  });

  it('expects no host of its own name that was never there', () => {
    const without = retainHosts(NO_HOSTS, [PEER, WORKER], at(0));
    expect([names(without), without.problems]).to.deep.equal([['controller-1', 'worker-0'], []]);
  });
});
