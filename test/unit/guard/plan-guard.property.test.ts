// Plans replayed on a tiny model of nft's sets: whatever stood there, afterwards exactly the desired elements stand there, and
// at no moment did an endpoint that holds before and after not hold.
import { expect } from 'chai';
import fc from 'fast-check';
import type { GuardRows } from '../../../app/domain/host-config.ts';
import type { Address, Prefix } from '../../../app/domain/ip.ts';
import { planGuard, planTexts } from '../../../app/guard/plan-guard.ts';
import type { GuardState } from '../../../app/guard/read-back.ts';
import { guardElements, mapSets, SET_NAMES, type Element, type SetName } from '../../../app/guard/rows.ts';
import { guardRuleset, tableName } from '../../../app/guard/ruleset.ts';

const ruleset = guardRuleset('cali*');

const address = fc.constantFrom(
  '10.0.0.1',
  '10.0.0.2',
  '10.7.0.9',
  'fd00::1',
  'fd00::2',
) as fc.Arbitrary<Address>;
const service = {
  address,
  protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
  port: fc.integer({ min: 1, max: 3 }),
} as const;
const uniqueKey = (row: { address: string; protocol: string; port: number }): string =>
  `${row.address} ${row.protocol} ${row.port}`;
const guardRows: fc.Arbitrary<GuardRows> = fc.record({
  endpoints: fc.uniqueArray(fc.record({ ...service, holdEgress: fc.boolean(), holdIngress: fc.boolean() }), {
    selector: uniqueKey,
  }),
  clusterIps: fc.uniqueArray(fc.record(service), { selector: uniqueKey }),
  pools: fc.uniqueArray(
    fc.constantFrom('10.0.0.0/8', '10.0.0.0/16', '10.7.0.0/16', '10.0.0.1/32', 'fd00::/64', 'fd00::/120'),
  ) as fc.Arbitrary<Prefix[]>,
});

type Model = Record<SetName, Set<Element>>;

describe('planGuard, any rows to any other rows', () => {
  it('ends with the desired elements, then has nothing to do, and never lets go of what goes on holding', () => {
    fc.assert(
      fc.property(guardRows, guardRows, (from, to) => {
        const model = modelOf(from);
        const stays = holding(model).filter((element) => holding(modelOf(to)).includes(element));
        for (const text of planTexts(plan(to, model))) {
          transact(model, text);
          expect(holding(model)).to.include.members(stays);
          expect(isCounted(model), 'what holds is counted').to.equal(true);
        }
        expect(model).to.deep.equal(modelOf(to));
        expect(planTexts(plan(to, model))).to.deep.equal([]);
      }),
      { numRuns: 400 },
    );
  });

  it('is the same in whatever order the rows come', () => {
    fc.assert(
      fc.property(guardRows, guardRows, (from, to) => {
        const turned = {
          endpoints: to.endpoints.toReversed(),
          clusterIps: to.clusterIps.toReversed(),
          pools: to.pools.toReversed(),
        };
        expect(plan(turned, modelOf(from))).to.deep.equal(plan(to, modelOf(from)));
      }),
    );
  });
});

function plan(rows: GuardRows, model: Model): ReturnType<typeof planGuard> {
  const elements = mapSets((name) => [...model[name]]);
  const table = {
    name: tableName(ruleset, 0),
    mode: 'enforce',
    elements,
    counters: { drops: {}, demand: new Map(), held: new Map() },
  } as const;
  const actual: GuardState = { kind: 'present', others: [], table };
  return planGuard({ mode: 'enforce', rows, ruleset }, actual);
}

function modelOf(rows: GuardRows): Model {
  const elements = guardElements(rows);
  return Object.fromEntries(SET_NAMES.map((name) => [name, new Set(elements[name])])) as Model;
}

/** Line by line, as nft applies a transaction; strict where nft is: what is deleted must be there. */
function transact(model: Model, text: string): void {
  for (const line of text.trim().split('\n')) {
    const [, verb, set = '', list = ''] = /^(add|delete) element inet \S+ (\w+) \{ (.*) \}$/.exec(line) ?? [];
    const elements = list.split(', ') as Element[];
    for (const element of elements)
      if (verb === 'add') model[set as SetName].add(element);
      else expect(model[set as SetName].delete(element), line).to.equal(true);
  }
}

function holding(model: Model): Element[] {
  return [...model.holding4, ...model.holding6];
}

function isCounted(model: Model): boolean {
  const counted = new Set([...model.endpoints4, ...model.endpoints6]);
  return holding(model).every((element) => counted.has(element));
}
