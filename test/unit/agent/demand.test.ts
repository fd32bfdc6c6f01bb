import { expect } from 'chai';
import { demandOf, NO_DEMAND, type Demand, type DemandMemory } from '../../../app/agent/demand.ts';
import type { Facts, HostFact, Stage } from '../../../app/domain/facts.ts';
import type { HostConfig } from '../../../app/domain/host-config.ts';
import { assignNames } from '../../../app/domain/names.ts';
import { planHost } from '../../../app/domain/plan-host.ts';
import type { Loaded } from '../../../app/swanctl/loaded.ts';
import { CONTROLLER_0, endpoint, facts, host, SEED_HOSTS, shard } from '../../support/facts-builders.ts';
import { childSa, ikeSa, loaded } from '../../support/loaded-builders.ts';

const ENDPOINT = '172.16.43.2 tcp/2';
const ENDPOINT_HERE = '172.16.192.70 tcp/2';
const CONNECTION = 'k8s-node-worker-0';
const EGRESS = `${CONNECTION}/tcp_b_egress`;
const SECOND = `${CONNECTION}/tcp_b_egress-2`;

const factsAt = (stage: Stage, hosts: readonly HostFact[] = SEED_HOSTS): Facts =>
  facts({
    hosts,
    shards: [
      shard({
        of: 'ns/b',
        stages: 'tcp/2',
        stage,
        endpoints: [endpoint('172.16.43.2', 'worker-0', 'tcp/2')],
      }),
    ],
  });
const TWO_PREFIXES = SEED_HOSTS.map((each) =>
  each.name === CONTROLLER_0
    ? host('controller-0', each.addresses, ['172.16.192.64/26', '172.16.7.0/26'])
    : each,
);

const configOf = (given: Facts): HostConfig =>
  assignNames(planHost(given, CONTROLLER_0), undefined, new Map());
/** All of it in charon, as it is in this stage. */
const inStage = (stage: Stage, hosts?: readonly HostFact[]): Loaded =>
  loaded(configOf(factsAt(stage, hosts)));
const withSa = (state: string, base = inStage('enforce')): Loaded => {
  const sa = childSa('tcp_b_egress', 2, '172.16.192.64/26[tcp]', '172.16.43.2/32[tcp/2]');
  return { ...base, ikeSas: [ikeSa(CONNECTION, 1, { children: [{ ...sa, state }] })] };
};

interface Look {
  /** Packets towards the endpoint; undefined: nobody can say. */
  readonly packets: number | undefined;
  readonly nowMs: number;
  readonly loaded?: Loaded;
  readonly facts?: Facts;
}

/** Looks in a row; gives what each of them wanted. */
function looks(list: readonly Look[]): string[][] {
  return results(list).map(({ wanted }) => [...wanted].sort());
}

function results(list: readonly Look[]): Demand[] {
  let before: DemandMemory = NO_DEMAND;
  return list.map(
    ({ packets, nowMs, loaded: found = inStage('enforce'), facts: given = factsAt('enforce') }) => {
      const counts =
        packets === undefined ? undefined : new Map([ENDPOINT, ENDPOINT_HERE].map((key) => [key, packets]));
      const plan = planHost(given, CONTROLLER_0);
      const demand = demandOf({ plan, desired: configOf(given), loaded: found, counts, nowMs, before });
      before = demand.memory;
      return demand;
    },
  );
}

describe('demandOf', () => {
  describe('for a child that is loaded without a trap and is to have one', () => {
    const prepared = inStage('prepare');
    const protect = factsAt('protect');
    const before = { packets: 0, nowMs: 0, loaded: prepared, facts: factsAt('prepare') };
    const table: readonly { name: string; list: readonly Look[]; expect: readonly string[] }[] = [
      {
        name: 'wants it when packets came since the last look',
        list: [before, { packets: 1, nowMs: 20, loaded: prepared, facts: protect }],
        expect: [EGRESS],
      },
      {
        name: 'wants it when packets came a short while ago, although none did since the last look',
        list: [
          before,
          { ...before, packets: 5, nowMs: 1000 },
          { ...before, packets: 5, nowMs: 10_980 },
          { packets: 5, nowMs: 10_999, loaded: prepared, facts: protect },
        ],
        expect: [EGRESS],
      },
      {
        name: 'does not want what nobody has asked for lately',
        list: [
          before,
          { ...before, packets: 5, nowMs: 1000 },
          { packets: 5, nowMs: 11_000, loaded: prepared, facts: protect },
        ],
        expect: [],
      },
      {
        name: 'does not want what nobody has ever asked for',
        list: [before, { packets: 0, nowMs: 20, loaded: prepared, facts: protect }],
        expect: [],
      },
      {
        name: 'wants it in the first look of an agent, which cannot know how old the packets are',
        list: [{ packets: 9, nowMs: 0, loaded: prepared, facts: protect }],
        expect: [EGRESS],
      },
      {
        name: 'leaves alone what has an SA',
        list: [before, { packets: 1, nowMs: 20, loaded: withSa('INSTALLED', prepared), facts: protect }],
        expect: [],
      },
      {
        name: 'wants nothing when the counters cannot be read',
        list: [
          before,
          { ...before, packets: 1, nowMs: 10 },
          { packets: undefined, nowMs: 20, loaded: prepared, facts: protect },
        ],
        expect: [],
      },
    ];
    for (const { name, list, expect: wanted } of table)
      it(name, () => expect(looks(list).at(-1)).to.deep.equal(wanted));

    it('wants nothing in a stage without traps', () => {
      for (const stage of ['prepare', 'release'] as const)
        expect(
          looks([before, { packets: 9, nowMs: 20, loaded: prepared, facts: factsAt(stage) }]).flat(),
        ).to.deep.equal([]);
    });

    it('remembers counts over a look that could not be made', () => {
      const list = [
        before,
        { ...before, packets: 5, nowMs: 1000 },
        { ...before, packets: undefined, nowMs: 2000 },
        { packets: 5, nowMs: 12_000, loaded: prepared, facts: protect },
        { packets: 6, nowMs: 12_001, loaded: prepared, facts: protect },
      ];
      expect(looks(list)).to.deep.equal([[], [], [], [], [EGRESS]]);
    });
  });

  describe('for a child with a trap, or one that is not loaded yet', () => {
    const table: readonly { name: string; list: readonly Look[]; expect: readonly string[] }[] = [
      { name: 'leaves the first packet to the trap', list: [look(0, 0), look(1, 5000)], expect: [] },
      {
        name: 'leaves it the time for an SA, however many looks find packets meanwhile',
        list: [look(0, 0), look(1, 5000), look(2, 5100), look(3, 6000), look(4, 6999)],
        expect: [],
      },
      {
        name: 'wants what is asked for again after that time',
        list: [look(0, 0), look(1, 5000), look(2, 7000)],
        expect: [EGRESS],
      },
      {
        name: 'wants what is asked for again later, although looks between found nothing',
        list: [look(0, 0), look(1, 5000), look(1, 7000), look(1, 12_000), look(2, 17_000)],
        expect: [EGRESS],
      },
      {
        name: 'does not want what is not asked for again',
        list: [look(0, 0), look(1, 5000), look(1, 8000), look(1, 30_000)],
        expect: [],
      },
      {
        name: 'begins anew when nobody has asked for a minute',
        list: [look(0, 0), look(1, 5000), look(1, 65_000), look(2, 70_000)],
        expect: [],
      },
      {
        name: 'begins anew after an SA was there',
        list: [
          look(0, 0),
          look(1, 5000),
          { packets: 2, nowMs: 6000, loaded: withSa('INSTALLED') },
          look(3, 9000),
        ],
        expect: [],
      },
      {
        name: 'never wants what has an SA, or one that is being rekeyed',
        list: [
          look(0, 0),
          ...[1, 2, 3, 4].map((packets) => ({
            packets,
            nowMs: packets * 5000,
            loaded: withSa(packets % 2 === 0 ? 'INSTALLED' : 'REKEYING'),
          })),
        ],
        expect: [],
      },
      {
        name: 'wants what has one that carries nothing any more',
        list: [1, 2].map((packets) => ({ packets, nowMs: packets * 5000, loaded: withSa('DELETING') })),
        expect: [EGRESS],
      },
      {
        name: 'wants nothing while counters are absent',
        list: [look(0, 0), look(1, 5000), look(undefined, 7000), look(undefined, 12_000)],
        expect: [],
      },
      {
        name: 'is not misled by a table that was made anew, which counts from 0',
        list: [look(0, 0), look(100, 5000), look(3, 7000)],
        expect: [EGRESS],
      },
      {
        name: 'takes a count of 0 in a new table for no packets',
        list: [look(0, 0), look(100, 5000), look(0, 7000)],
        expect: [],
      },
      {
        name: 'leaves a child to its trap that is loaded in this pass',
        list: [look(0, 0), { packets: 1, nowMs: 20, loaded: loaded({ networkUid: '', connections: [] }) }],
        expect: [],
      },
    ];
    for (const { name, list, expect: wanted } of table)
      it(name, () => expect(looks(list).at(-1)).to.deep.equal(wanted));
  });

  it('wants every prefix of this host towards the endpoint that has no SA', () => {
    const given = factsAt('enforce', TWO_PREFIXES);
    const found = inStage('enforce', TWO_PREFIXES);
    const list = [0, 1, 2].map((packets) => ({
      packets,
      nowMs: packets * 5000,
      loaded: found,
      facts: given,
    }));
    expect(looks(list).at(-1)).to.deep.equal([EGRESS, SECOND]);
    const oneIsUp = { ...list[2]!, loaded: withSa('INSTALLED', found) };
    expect(looks([...list.slice(0, 2), oneIsUp]).at(-1)).to.deep.equal([SECOND]);
  });

  it('ignores packets to endpoints of this host, to those that vanished and to those that nobody knows', () => {
    const here = facts({
      shards: [
        shard({ of: 'ns/b', stages: 'tcp/2', endpoints: [endpoint('172.16.192.70', CONTROLLER_0, 'tcp/2')] }),
      ],
    });
    for (const given of [here, facts()]) {
      const list = [0, 1, 2, 3].map((packets) => ({
        packets,
        nowMs: packets * 5000,
        facts: given,
        loaded: loaded(configOf(given)),
      }));
      expect(looks(list).flat()).to.deep.equal([]);
    }
  });

  it('keeps nothing of an endpoint whose counter is gone', () => {
    const plan = planHost(factsAt('enforce'), CONTROLLER_0);
    const [, { memory }] = results([look(0, 0), look(1, 5000)]) as [Demand, Demand];
    expect([...memory.lacking.keys()]).to.deep.equal([EGRESS]);
    const gone = demandOf({
      plan,
      desired: configOf(factsAt('enforce')),
      loaded: inStage('enforce'),
      counts: new Map(),
      nowMs: 7000,
      before: memory,
    });
    expect([gone.memory.endpoints.size, gone.memory.lacking.size, gone.wanted.size]).to.deep.equal([0, 0, 0]);
  });

  it('asks for a look when the time of the trap is over, and for none after that', () => {
    const again = results([look(0, 0), look(1, 5000), look(2, 5500), look(2, 7000), look(2, 9000)]);
    expect(again.map(({ againMs }) => againMs)).to.deep.equal([Infinity, 2000, 1500, Infinity, Infinity]);
  });
});

function look(packets: number | undefined, nowMs: number): Look {
  return { packets, nowMs };
}
