import { expect } from 'chai';
import type { GuardStanding, HostReport, Stage } from '../../../app/domain/facts.ts';
import { holders, isWithdrawn, type Withdrawal } from '../../../app/domain/withdrawal.ts';
import { kubeDns } from '../../support/facts-builders.ts';
import { CONTROLLER_0, CONTROLLER_1, report } from '../../support/world-builders.ts';

const at = (stage: Stage): Withdrawal['shards'] => [kubeDns({ stages: 'udp/53', stage })];
const holding = (base: HostReport): HostReport => ({
  ...base,
  counters: { connections: 1, flows: 2, flowsInForce: 2, childSas: 2 },
});
const guardedBy = (base: HostReport, state: GuardStanding): HostReport => ({
  ...base,
  guard: { ...base.guard, state },
});
const withdrawal = (change: Partial<Withdrawal>): Withdrawal => ({
  shards: [],
  hosts: [CONTROLLER_1, CONTROLLER_0],
  readyHosts: new Set([CONTROLLER_0, CONTROLLER_1]),
  reports: [report(CONTROLLER_0, []), report(CONTROLLER_1, [])],
  ...change,
});

describe('withdrawal', () => {
  const gone = at('gone');
  const cases: readonly {
    readonly name: string;
    readonly given: Partial<Withdrawal>;
    readonly holding: readonly string[];
    readonly isOver: boolean;
  }[] = [
    { name: 'nothing protected, nothing reported as left', given: {}, holding: [], isOver: true },
    {
      name: 'nothing protected, hosts that never reported',
      given: { reports: [] },
      holding: [],
      isOver: true,
    },
    { name: 'no hosts', given: { hosts: [], readyHosts: new Set() }, holding: [], isOver: true },
    {
      name: 'a port that is only released',
      given: {
        shards: at('release'),
        reports: [report(CONTROLLER_0, at('release')), report(CONTROLLER_1, at('release'))],
      },
      holding: [],
      isOver: false,
    },
    {
      name: 'gone, and one Ready host has not said so',
      given: { shards: gone, reports: [report(CONTROLLER_0, gone)] },
      holding: ['controller-1'],
      isOver: false,
    },
    {
      name: 'gone, and one host that is not Ready has not said so',
      given: {
        shards: gone,
        reports: [report(CONTROLLER_0, gone)],
        readyHosts: new Set([CONTROLLER_0]),
      },
      holding: ['controller-1'],
      isOver: true,
    },
    {
      name: 'no shard left, and SAs that one host still has',
      given: { reports: [report(CONTROLLER_0, []), holding(report(CONTROLLER_1, []))] },
      holding: ['controller-1'],
      isOver: false,
    },
    ...(['enforce', 'observe', 'differs', 'unknown'] as const).map((state) => ({
      name: `nothing loaded, and a guard that is read back as ${state}`,
      given: { reports: [report(CONTROLLER_0, []), guardedBy(report(CONTROLLER_1, []), state)] },
      holding: ['controller-1'],
      isOver: false,
    })),
    {
      name: 'nothing loaded in mode off',
      given: { reports: [report(CONTROLLER_0, []), guardedBy(report(CONTROLLER_1, []), 'off')] },
      holding: [],
      isOver: true,
    },
  ];
  for (const { name, given, holding: expected, isOver } of cases)
    it(name, () => {
      expect(holders(withdrawal(given))).to.deep.equal(expected);
      expect(isWithdrawn(withdrawal(given))).to.equal(isOver);
    });
});
