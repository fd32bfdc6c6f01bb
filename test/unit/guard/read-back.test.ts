import { expect } from 'chai';
import { guardState, readTable, readTableNames } from '../../../app/guard/read-back.ts';
import { guardRuleset, tableName, type TableName } from '../../../app/guard/ruleset.ts';
import { asJson, counterItem, listTable, ruleItem, type NftItem } from './nft-list.ts';

const ruleset = guardRuleset('cali*');
const T = tableName(ruleset, 0);
const read = (items: readonly NftItem[]): ReturnType<typeof readTable> =>
  readTable(T, asJson(items), ruleset);

describe('readTableNames', () => {
  it('knows ours among others', () => {
    const json = asJson([
      { metainfo: {} },
      { table: { family: 'inet', name: 'filter' } },
      { table: { family: 'inet', name: T } },
      { table: { family: 'ip', name: 'ipsec_policy_guard_00000000_0' } },
    ]);
    expect(readTableNames(json)).to.deep.equal([T]);
  });

  for (const text of ['', 'table inet filter', '[]', '{"nftables":{}}', 'null'])
    it(`is undefined for ${JSON.stringify(text)}`, () => {
      expect(readTableNames(text)).to.equal(undefined);
      expect(readTable(T, text, ruleset)).to.equal(undefined);
    });
});

describe('readTable', () => {
  it('reads elements however nft prints them', () => {
    const sets = {
      endpoints4: [
        { elem: { val: { concat: ['10.0.0.2', 'udp', 53] }, counter: { packets: 3, bytes: 9 } } },
        { elem: { val: { concat: ['10.0.0.1', 17, 53] }, counter: { packets: 0, bytes: 0 } } },
      ],
      holding6: [{ concat: ['fd00:0::1', 'sctp', 7] }],
      pools4: [{ prefix: { addr: '10.0.0.0', len: 8 } }, '11.0.0.1'],
      pools6: ['fd00::5'],
    };
    const reading = read(listTable(ruleset, { sets, isEnforced: false }));
    expect(reading).to.have.nested.property('table.mode', 'observe');
    expect(reading)
      .to.have.property('table')
      .that.deep.includes({
        elements: {
          endpoints4: ['10.0.0.1 . 17 . 53', '10.0.0.2 . 17 . 53'],
          endpoints6: [],
          holding4: [],
          holding6: ['fd00::1 . 132 . 7'],
          cluster_ips4: [],
          cluster_ips6: [],
          pools4: ['10.0.0.0/8', '11.0.0.1'],
          pools6: ['fd00::5'],
        },
      });
  });

  const whole = listTable(ruleset);
  const without = (kind: string, name: string, key = 'name'): NftItem[] =>
    whole.filter((item) => item[kind]?.[key] !== name);
  for (const { name, items, differences } of [
    { name: 'a chain is gone', items: without('chain', 'egress'), differences: ['chain egress'] },
    { name: 'rules are gone', items: without('rule', 'egress', 'chain'), differences: ['chain egress'] },
    {
      name: 'a rule was put in',
      items: [...whole, ruleItem('ingress', 'mine')],
      differences: ['chain ingress'],
    },
    {
      name: 'what is held is accepted',
      items: [ruleItem('held', ''), ...whole],
      differences: ['chain held'],
    },
    { name: 'a chain was added', items: [...whole, { chain: { name: 'x' } }], differences: ['chain x'] },
    { name: 'a set is gone', items: without('set', 'pools6'), differences: ['set pools6'] },
    {
      name: 'a hook has another priority',
      items: whole.map((item) =>
        item['chain']?.['name'] === 'egress' ? { chain: { ...item['chain'], prio: 300 } } : item,
      ),
      differences: ['chain egress'],
    },
    {
      name: 'an element cannot be ours',
      items: listTable(ruleset, { sets: { holding4: [{ concat: ['10.0.0.1', 'icmp', 7] }] } }),
      differences: ['set holding4'],
    },
    {
      name: 'a pool is a range',
      items: listTable(ruleset, { sets: { pools4: [{ range: ['10.0.0.1', '10.0.0.9'] }] } }),
      differences: ['set pools4'],
    },
  ])
    it(`says where it differs when ${name}`, () => {
      expect(read(items)).to.deep.equal({ name: T, differences });
    });
});

describe('readTable, counters', () => {
  it('has what was counted by endpoint and by where it was held', () => {
    const sets = {
      endpoints4: [{ elem: { val: { concat: ['10.0.0.1', 'tcp', 80] }, counter: { packets: 4, bytes: 1 } } }],
      endpoints6: [{ elem: { val: { concat: ['fd00::1', 'udp', 53] }, counter: { packets: 0, bytes: 0 } } }],
      cluster_ips4: [
        { elem: { val: { concat: ['10.0.0.9', 'tcp', 80] }, counter: { packets: 6, bytes: 1 } } },
      ],
    };
    const reading = read(
      listTable(ruleset, { sets, counters: [counterItem('egress', 7), counterItem('ingress', 0)] }),
    );
    expect(reading).to.have.deep.nested.property('table.counters', {
      drops: { egress: 7, ingress: 0 },
      demand: new Map([
        ['10.0.0.1 tcp/80', 4],
        ['fd00::1 udp/53', 0],
      ]),
      held: new Map([['10.0.0.9 tcp/80', 6]]),
    });
  });

  it('leaves out what it cannot read instead of calling it 0', () => {
    const sets = { endpoints4: [{ concat: ['10.0.0.1', 'tcp', 80] }] };
    const reading = read(listTable(ruleset, { sets, counters: [counterItem('egress', '7')] }));
    expect(reading).to.have.deep.nested.property('table.counters', {
      drops: {},
      demand: new Map(),
      held: new Map(),
    });
  });
});

describe('guardState', () => {
  const other = 'ipsec_policy_guard_00000000_0' as TableName;
  const second = tableName(ruleset, 1);
  const readAs = (name: TableName, items: readonly NftItem[]): NonNullable<ReturnType<typeof readTable>> =>
    readTable(name, asJson(items), ruleset)!;

  it('is absent without a table of these rules, whatever else of ours is there', () => {
    expect(guardState([], [other])).to.deep.equal({ kind: 'absent', others: [other] });
  });

  it('takes a whole table before a changed one, and knows the rest', () => {
    const state = guardState(
      [readAs(T, listTable(ruleset).slice(0, -3)), readAs(second, listTable(ruleset))],
      [other],
    );
    expect(state).to.deep.include({ kind: 'present', others: [other, T] });
  });

  it('is modified when only a changed table is there', () => {
    const state = guardState([readAs(T, [...listTable(ruleset), { chain: { name: 'x' } }])], []);
    expect(state).to.deep.equal({ kind: 'modified', differences: ['chain x'], others: [T] });
  });
});
