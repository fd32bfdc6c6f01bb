import { expect } from 'chai';
import type { GuardMode } from '../../../app/domain/facts.ts';
import type { GuardRows } from '../../../app/domain/host-config.ts';
import type { Address, Prefix } from '../../../app/domain/ip.ts';
import { planGuard, type GuardPlan } from '../../../app/guard/plan-guard.ts';
import type { GuardState } from '../../../app/guard/read-back.ts';
import { guardElements } from '../../../app/guard/rows.ts';
import { guardRuleset, tableName, type TableName } from '../../../app/guard/ruleset.ts';

const ruleset = guardRuleset('cali*');
const T = tableName(ruleset, 0);
const OTHER = 'ipsec_policy_guard_00000000_0' as TableName;
const NOTHING: GuardPlan = { create: [], add: [], hold: [], release: [], remove: [] };

interface Row {
  readonly port: number;
  readonly holds: boolean;
}
const rows = (endpoints: readonly Row[], more: Partial<GuardRows> = {}): GuardRows => ({
  endpoints: endpoints.map(({ port, holds }) => ({
    address: '172.16.0.9' as Address,
    protocol: 'tcp',
    port,
    holdEgress: holds,
    holdIngress: false,
  })),
  clusterIps: [],
  pools: ['172.16.0.0/16' as Prefix],
  ...more,
});
const clusterIps = [{ address: '10.96.0.10' as Address, protocol: 'udp' as const, port: 53 }];
const counts = (port: number): Row => ({ port, holds: false });
const holds = (port: number): Row => ({ port, holds: true });

const present = (
  is: GuardRows,
  mode: 'enforce' | 'observe' = 'enforce',
  others: TableName[] = [],
): GuardState => ({
  kind: 'present',
  others,
  table: {
    name: T,
    mode,
    elements: guardElements(is),
    counters: { drops: {}, demand: new Map(), held: new Map() },
  },
});
const plan = (desired: GuardRows, actual: GuardState, mode: GuardMode = 'enforce'): GuardPlan =>
  planGuard({ mode, rows: desired, ruleset }, actual);

describe('planGuard', () => {
  const table: readonly { name: string; from: GuardRows; to: GuardRows; expect: Partial<GuardPlan> }[] = [
    { name: 'does nothing when nothing differs', from: rows([holds(1)]), to: rows([holds(1)]), expect: {} },
    {
      name: 'adds a new endpoint that holds in one transaction',
      from: rows([]),
      to: rows([holds(1)]),
      expect: {
        add: [
          `add element inet ${T} endpoints4 { 172.16.0.9 . 6 . 1 }\nadd element inet ${T} holding4 { 172.16.0.9 . 6 . 1 }\n`,
        ],
      },
    },
    {
      name: 'holds an endpoint that was counted, later than it adds others',
      from: rows([counts(1)]),
      to: rows([holds(1), counts(2)]),
      expect: {
        add: [`add element inet ${T} endpoints4 { 172.16.0.9 . 6 . 2 }\n`],
        hold: [`add element inet ${T} holding4 { 172.16.0.9 . 6 . 1 }\n`],
      },
    },
    {
      name: 'releases an endpoint that goes on being counted, earlier than it removes others',
      from: rows([holds(1), holds(2)]),
      to: rows([counts(1)]),
      expect: {
        release: [`delete element inet ${T} holding4 { 172.16.0.9 . 6 . 1 }\n`],
        remove: [
          `delete element inet ${T} holding4 { 172.16.0.9 . 6 . 2 }\ndelete element inet ${T} endpoints4 { 172.16.0.9 . 6 . 2 }\n`,
        ],
      },
    },
    {
      name: 'takes cluster IPs up when it holds',
      from: rows([]),
      to: rows([], { clusterIps }),
      expect: { hold: [`add element inet ${T} cluster_ips4 { 10.96.0.10 . 17 . 53 }\n`] },
    },
    {
      name: 'lets cluster IPs go when it releases',
      from: rows([], { clusterIps }),
      to: rows([]),
      expect: { release: [`delete element inet ${T} cluster_ips4 { 10.96.0.10 . 17 . 53 }\n`] },
    },
    {
      name: 'changes overlapping pools in one transaction and removes others last',
      from: rows([], { pools: ['10.1.0.0/16', '11.0.0.0/8'] as Prefix[] }),
      to: rows([], { pools: ['10.0.0.0/8'] as Prefix[] }),
      expect: {
        add: [
          `delete element inet ${T} pools4 { 10.1.0.0/16 }\nadd element inet ${T} pools4 { 10.0.0.0/8 }\n`,
        ],
        remove: [`delete element inet ${T} pools4 { 11.0.0.0/8 }\n`],
      },
    },
  ];
  for (const { name, from, to, expect: parts } of table)
    it(name, () => expect(plan(to, present(from))).to.deep.equal({ ...NOTHING, ...parts }));

  it('holds in a step of its own when the mode becomes enforce, and releases when it becomes observe', () => {
    const same = rows([holds(1)]);
    expect(plan(same, present(same, 'observe'))).to.deep.equal({
      ...NOTHING,
      hold: [`add rule inet ${T} held drop comment "enforce"\n`],
    });
    expect(plan(same, present(same), 'observe')).to.deep.equal({
      ...NOTHING,
      release: [`flush chain inet ${T} held\n`],
    });
  });

  it('creates a whole table in one transaction, elements included', () => {
    const { create, ...rest } = plan(rows([holds(1)], { clusterIps }), { kind: 'absent', others: [] });
    expect(rest).to.deep.equal({ add: [], hold: [], release: [], remove: [] });
    expect(create).to.have.lengthOf(1);
    expect(create[0])
      .to.match(/^create table/)
      .and.to.contain(`add rule inet ${T} held drop`);
    expect(create[0]?.split('\n').slice(-5)).to.deep.equal([
      `add element inet ${T} pools4 { 172.16.0.0/16 }`,
      `add element inet ${T} endpoints4 { 172.16.0.9 . 6 . 1 }`,
      `add element inet ${T} holding4 { 172.16.0.9 . 6 . 1 }`,
      `add element inet ${T} cluster_ips4 { 10.96.0.10 . 17 . 53 }`,
      '',
    ]);
  });

  it('creates one that only counts in mode observe', () => {
    const { create } = plan(rows([holds(1)]), { kind: 'absent', others: [] }, 'observe');
    expect(create.join('')).not.to.contain('drop comment');
  });

  it('deletes the table of another release after its own is filled', () => {
    const replaced = plan(rows([holds(1)]), { kind: 'absent', others: [OTHER] });
    expect(replaced.create).to.have.lengthOf(1);
    expect(replaced.remove).to.deep.equal([`delete table inet ${OTHER}`]);
  });

  it('puts a second table beside one that was tampered with', () => {
    const { create, remove } = plan(rows([]), {
      kind: 'modified',
      differences: ['chain egress'],
      others: [T],
    });
    expect(create[0]).to.contain(`create table inet ${tableName(ruleset, 1)}\n`);
    expect(remove).to.deep.equal([`delete table inet ${T}`]);
  });

  it('takes everything away in mode off', () => {
    expect(plan(rows([holds(1)]), present(rows([]), 'enforce', [OTHER]), 'off')).to.deep.equal({
      ...NOTHING,
      remove: [`delete table inet ${OTHER}`, `delete table inet ${T}`],
    });
    expect(plan(rows([holds(1)]), { kind: 'absent', others: [] }, 'off')).to.deep.equal(NOTHING);
  });

  it('cuts many elements into transactions of at most 5,000', () => {
    const many = rows(Array.from({ length: 12_000 }, (_, i) => counts(i + 1)));
    const { add } = plan(many, present(rows([])));
    expect(add.map((text) => text.match(/ \. 6 \. /g)?.length)).to.deep.equal([5000, 5000, 2000]);
  });
});
