// Whatever happens in whatever order - endpoints and policies that come and go, hosts that fall silent, go down or lose their
// agent - the roll-out never opens what it enforced, never repeats itself, and arrives when all hosts answer.
import { expect } from 'chai';
import fc from 'fast-check';
import type { ShardFact, Stage } from '../../app/domain/facts.ts';
import { formatPort } from '../../app/domain/ports.ts';
import { resolve } from '../../app/domain/resolve.ts';
import { rollOut, shardWrites } from '../../app/domain/roll-out.ts';
import type { World } from '../../app/domain/world.ts';
import { RollOutCluster } from '../support/roll-out-cluster.ts';
import { block, host, policy, service, slice, world } from '../support/world-builders.ts';

const HOSTS = ['controller-0', 'controller-1', 'worker-0'];

/** What the world may look like: two services of two ports, one of them behind a name, on three hosts. */
interface Situation {
  readonly policies: readonly ('a' | 'b' | 'a-more')[];
  /** Last bytes of the endpoints' addresses; each byte has one host, unless `moved`. */
  readonly endpoints: readonly number[];
  readonly services: boolean;
  readonly moved: boolean;
  readonly blocks: boolean;
  readonly agents: readonly boolean[];
  readonly ready: readonly boolean[];
}

const situation: fc.Arbitrary<Situation> = fc.record({
  policies: fc.uniqueArray(fc.constantFrom('a', 'b', 'a-more')),
  endpoints: fc.uniqueArray(fc.integer({ min: 0, max: 190 }), { maxLength: 130, size: 'max' }),
  services: often(true),
  moved: often(false),
  blocks: often(true),
  agents: fc.array(often(true), { minLength: 3, maxLength: 3 }),
  ready: fc.array(often(true), { minLength: 3, maxLength: 3 }),
});

function often(value: boolean): fc.Arbitrary<boolean> {
  return fc.oneof(
    { weight: 5, arbitrary: fc.constant(value) },
    { weight: 1, arbitrary: fc.constant(!value) },
  );
}

const ROWS = { a: ['ns/a', 'tcp/53,tcp/80'], b: ['ns/b', 'tcp/53'], 'a-more': ['ns/a', 'udp/53'] } as const;

function worldOf(given: Situation): World {
  const base = world();
  const addresses = given.endpoints.map((byte) => `10.0.0.${byte}`);
  const owners = given.moved ? [...HOSTS.slice(1), 'controller-0'] : HOSTS;
  return {
    ...base,
    policies: given.policies.map((name) => policy(name, ROWS[name])),
    services: given.services
      ? [
          service('ns/a', 'dns tcp/53', 'dns-udp udp/53', 'web tcp/80>http'),
          service('ns/b', 'dns tcp/53>5353'),
        ]
      : [],
    slices: [
      slice('ns/a', ['dns tcp/53', 'dns-udp udp/53', 'web tcp/8080'], addresses.slice(1)),
      slice('ns/b', ['dns tcp/5353'], addresses.slice(0, 3)),
    ],
    nodes: base.nodes.map((node, i) => ({
      ...node,
      agent: given.agents[i] ?? true,
      ready: given.ready[i] ?? true,
    })),
    blocks: given.blocks ? owners.map((name, i) => block(`10.0.0.${i * 64}/26`, name)) : [],
  };
}

type Happening =
  | { readonly kind: 'situation'; readonly next: Situation }
  | { readonly kind: 'answers'; readonly from: readonly string[] }
  | { readonly kind: 'seconds'; readonly seconds: number };

const happenings: fc.Arbitrary<Happening[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: situation.map((next): Happening => ({ kind: 'situation', next })) },
    {
      weight: 4,
      arbitrary: fc.subarray(HOSTS, { minLength: 1 }).map((from): Happening => ({ kind: 'answers', from })),
    },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 1, max: 40 }).map((seconds): Happening => ({ kind: 'seconds', seconds })),
    },
  ),
  { maxLength: 25 },
);

function happen(cluster: RollOutCluster, what: Happening): void {
  if (what.kind === 'situation') cluster.world = worldOf(what.next);
  else if (what.kind === 'answers') cluster.answer(...what.from.map(host));
  else cluster.nowMs += what.seconds * 1000;
}

/** What a pass was made from, beside the world and the reports. */
type Before = Pick<RollOutCluster, 'shards' | 'clock'>;

/** A cluster after a history; `each` sees what stood before and after every pass. */
function play(
  first: Situation,
  history: readonly Happening[],
  each: (before: Before, cluster: RollOutCluster) => void = () => undefined,
): RollOutCluster {
  const cluster = new RollOutCluster(worldOf(first));
  for (const what of history) {
    happen(cluster, what);
    const { shards, clock } = cluster;
    cluster.pass();
    each({ shards, clock }, cluster);
  }
  return cluster;
}

/** Stages of shards that are still the same objects, by uid and port. */
function stages(shards: readonly ShardFact[]): Map<string, Stage> {
  return new Map(
    shards.flatMap((shard) =>
      shard.stages.map((entry) => [`${shard.version.uid} ${formatPort(entry)}`, entry.stage]),
    ),
  );
}

/** A host that a step of the service must wait for: with an agent, Ready, in time, and without a report of what stood. */
function isAnyoneSilent(shards: readonly ShardFact[], { clock }: Before, cluster: RollOutCluster): boolean {
  const awaited = cluster.world.nodes.filter(
    (node) => node.agent && node.ready && !clock.overdue.has(node.name),
  );
  return awaited.some(({ name }) => {
    const loaded = cluster.reports.find((report) => report.host === name)?.loaded ?? [];
    const versions = new Set(loaded.map((version) => JSON.stringify(version)));
    return !shards.every(({ version }) => versions.has(JSON.stringify(version)));
  });
}

function isServed(service: string, key: string, cluster: RollOutCluster): boolean {
  const port = key.slice(key.indexOf(' ') + 1);
  const endpoints = cluster.shards
    .filter((shard) => shard.service === service)
    .flatMap((shard) => shard.endpoints);
  return endpoints.some((endpoint) => endpoint.ports.map(formatPort).includes(port));
}

const FORWARD: Readonly<Record<Stage, readonly (Stage | undefined)[]>> = {
  prepare: ['prepare', 'protect', 'enforce', 'release', 'gone'],
  protect: ['protect', 'enforce', 'release', 'gone'],
  enforce: ['enforce', 'release', 'gone'],
  release: ['release', 'gone', 'prepare', 'enforce'],
  gone: ['gone', undefined, 'prepare', 'enforce'],
};

describe('rollOut', function () {
  this.timeout(30_000);

  it('never steps back, and never opens a port without release and gone while there are agents', () => {
    fc.assert(
      fc.property(situation, happenings, (first, history) => {
        play(first, history, (before, { shards, world: now }) => {
          const after = stages(shards);
          const hasAgents = now.nodes.some((node) => node.agent);
          for (const [key, stage] of stages(before.shards))
            if (hasAgents || after.has(key))
              expect(FORWARD[stage], `${key} was ${stage}`).to.include(after.get(key));
        });
      }),
    );
  });

  it('steps on only when every awaited host has reported the shards that stood', () => {
    fc.assert(
      fc.property(situation, happenings, (first, history) => {
        play(first, history, (before, cluster) => {
          const after = stages(cluster.shards);
          for (const [service, shards] of Map.groupBy(before.shards, (shard) => shard.service)) {
            if (!isAnyoneSilent(shards, before, cluster)) continue;
            for (const [key, stage] of stages(shards)) {
              const step = `${stage} ${after.get(key)}`;
              expect(step, key).not.to.be.oneOf(['prepare protect', 'release gone', 'gone undefined']);
              if (isServed(service, key, cluster)) expect(step, key).not.to.equal('protect enforce');
            }
          }
        });
      }),
    );
  });

  it('twice without news is once', () => {
    fc.assert(
      fc.property(situation, happenings, (first, history) => {
        play(first, history, ({ clock }, { world: now, shards, reports }) => {
          const again = rollOut(resolve(now), { ...clock, shards, reports });
          expect(shardWrites(again, shards)).to.deep.equal([]);
        });
      }),
    );
  });

  it('has each address of a service once, at most 100 in a shard, all lists in order', () => {
    fc.assert(
      fc.property(situation, happenings, (first, history) => {
        play(first, history, (_, { shards }) => {
          for (const [, ofService] of Map.groupBy(shards, (shard) => shard.service)) {
            const addresses = ofService.flatMap((shard) => shard.endpoints.map(({ address }) => address));
            expect(new Set(addresses).size).to.equal(addresses.length);
            expect(
              ofService.filter((shard) => shard.index > 0).flatMap((shard) => shard.stages),
            ).to.deep.equal([]);
            for (const shard of ofService) expect(shard.endpoints.length).to.be.at.most(100);
          }
        });
      }),
    );
  });

  it('does not depend on the order of services, shards, hosts or reports', () => {
    fc.assert(
      fc.property(situation, happenings, fc.nat(), (first, history, seed) => {
        const { world: now, shards, reports, clock } = play(first, history);
        const resolved = resolve(now);
        const turn = <Item>(items: readonly Item[]): Item[] => {
          const at = items.length === 0 ? 0 : seed % items.length;
          return [...items.slice(at), ...items.slice(0, at)].reverse();
        };
        const turned = { ...resolved, services: turn(resolved.services), hosts: turn(resolved.hosts) };
        expect(rollOut(turned, { ...clock, shards: turn(shards), reports: turn(reports) })).to.deep.equal(
          rollOut(resolved, { ...clock, shards, reports }),
        );
      }),
    );
  });

  it('arrives once all hosts answer: what is wanted in force, what is not forgotten, and then rests', () => {
    fc.assert(
      fc.property(situation, happenings, situation, (first, history, last) => {
        const cluster = play(first, history);
        const calm = {
          ...last,
          services: true,
          blocks: true,
          agents: [true, true, true],
          ready: [true, true, true],
        };
        cluster.world = worldOf(calm);
        expect(cluster.settle()).to.be.at.most(8);
        const wanted = new Map(resolve(cluster.world).services.map((one) => [one.service, one]));
        expect(new Set(cluster.shards.map((shard) => shard.service))).to.deep.equal(new Set(wanted.keys()));
        for (const shard of cluster.shards) {
          expect(shard.stages.every(({ stage }) => stage === 'enforce')).to.equal(true);
          expect(shard.endpoints.every(({ state }) => state === 'active')).to.equal(true);
        }
        for (const [name, one] of wanted) {
          const standing = cluster.shards.filter((shard) => shard.service === name);
          const found = standing
            .flatMap((shard) => shard.endpoints)
            .map(({ address, host: at }) => `${address} ${at}`);
          expect(found).to.have.members(one.endpoints.map(({ address, host: at }) => `${address} ${at}`));
          const ports = standing.flatMap((shard) => shard.stages.map(formatPort));
          if (one.unknownTargets.length === 0) expect(ports).to.deep.equal(one.ports.map(formatPort));
        }
      }),
    );
  });
});
