import { expect } from 'chai';
import { retainShards } from '../../../app/agent/retained-shards.ts';
import type { EndpointState, ShardFact, Stage } from '../../../app/domain/facts.ts';
import { endpoint, shard } from '../../support/facts-builders.ts';

const first = (stage: Stage, state: EndpointState = 'active'): ShardFact =>
  shard({
    of: 'ns/svc',
    stages: 'tcp/53',
    stage,
    endpoints: [endpoint('172.16.43.5', 'worker-0', 'tcp/53', state)],
  });
const further = (...states: readonly EndpointState[]): ShardFact =>
  shard({
    of: 'ns/svc',
    index: 1,
    endpoints: states.map((state, index) => endpoint(`172.16.43.${10 + index}`, 'worker-0', 'tcp/53', state)),
  });
const empty = shard({ of: 'ns/svc', stages: 'tcp/53', endpoints: [] });
const other = shard({ of: 'ns/other', stages: 'tcp/1' });

const TABLE: readonly {
  readonly name: string;
  readonly before: readonly ShardFact[];
  readonly now: readonly ShardFact[];
  readonly kept: readonly ShardFact[];
}[] = [
  { name: 'nothing vanished', before: [first('enforce')], now: [first('enforce')], kept: [] },
  { name: 'a first list', before: [], now: [first('enforce')], kept: [] },
  { name: 'another version of it is there', before: [first('enforce')], now: [first('release')], kept: [] },
  {
    name: 'in force and vanished',
    before: [first('enforce'), other],
    now: [other],
    kept: [first('enforce')],
  },
  { name: 'all vanished', before: [first('prepare'), other], now: [], kept: [first('prepare'), other] },
  { name: 'released, not yet gone', before: [first('release')], now: [], kept: [first('release')] },
  { name: 'gone', before: [first('gone')], now: [], kept: [] },
  {
    name: 'gone on one port only',
    before: [shard({ of: 'ns/svc', stages: 'tcp/53=gone udp/53=enforce' })],
    now: [],
    kept: [shard({ of: 'ns/svc', stages: 'tcp/53=gone udp/53=enforce' })],
  },
  {
    name: 'a first shard whose endpoints are leaving: it says the stages of the others',
    before: [first('enforce', 'leaving'), further('active')],
    now: [further('active')],
    kept: [first('enforce', 'leaving')],
  },
  {
    name: 'a first shard without endpoints',
    before: [empty, further('active')],
    now: [further('active')],
    kept: [empty],
  },
  {
    name: 'a further shard whose endpoints have left',
    before: [first('enforce'), further('leaving', 'leaving')],
    now: [first('enforce')],
    kept: [],
  },
  {
    name: 'an empty further shard',
    before: [first('enforce'), further()],
    now: [first('enforce')],
    kept: [],
  },
  {
    name: 'a further shard with an endpoint in force',
    before: [first('enforce'), further('leaving', 'active')],
    now: [first('enforce')],
    kept: [further('leaving', 'active')],
  },
  {
    name: 'a further shard of a service that is gone',
    before: [first('gone'), further('active')],
    now: [],
    kept: [],
  },
];

describe('retainShards', () => {
  for (const { name, before, now, kept } of TABLE)
    it(`${name}: keeps ${kept.map(({ version }) => version.name).join(', ') || 'nothing'}`, () => {
      const { shards, problems } = retainShards(before, now);
      expect(shards).to.deep.equal([...now, ...kept]);
      expect(problems.map(({ reason, subject }) => [reason, subject])).to.deep.equal(
        kept.map(({ version }) => ['FactsVanished', version.name]),
      );
    });

  describe('a shard that says less than before', () => {
    const stagesAfter = (before: string, now: string, uid?: string): string => {
      const of = (stages: string): ShardFact => shard({ of: 'ns/svc', stages });
      const again = of(now);
      const version = uid === undefined ? again.version : { ...again.version, uid };
      const { shards } = retainShards([of(before)], [{ ...again, version }]);
      return shards.flatMap(({ stages }) => stages.map(({ port, stage }) => `${port}=${stage}`)).join(' ');
    };

    it('keeps the stages that it had: a snapshot opens nothing', () => {
      expect(stagesAfter('tcp/53=enforce tcp/54=protect', 'tcp/53=prepare tcp/54=prepare')).to.equal(
        '53=enforce 54=protect',
      );
      expect(stagesAfter('tcp/53=enforce', 'tcp/53=protect')).to.equal('53=enforce');
    });

    it('goes on from there, is released, and begins anew after that', () => {
      expect(stagesAfter('tcp/53=prepare', 'tcp/53=protect')).to.equal('53=protect');
      expect(stagesAfter('tcp/53=enforce', 'tcp/53=release')).to.equal('53=release');
      expect(stagesAfter('tcp/53=release', 'tcp/53=prepare')).to.equal('53=prepare');
      expect(stagesAfter('tcp/53=gone', 'tcp/53=prepare')).to.equal('53=prepare');
    });

    it('is another one when it was made anew', () => {
      expect(stagesAfter('tcp/53=enforce', 'tcp/53=prepare', 'another')).to.equal('53=prepare');
    });

    it('keeps the service ports that it held', () => {
      const before = shard({ of: 'ns/svc', stages: 'tcp/53' });
      const held = { ...before, servicePorts: [{ protocol: 'tcp', port: 80 }] } as const;
      const now = { ...shard({ of: 'ns/svc', stages: 'tcp/53=prepare' }), servicePorts: [] };
      expect(retainShards([held], [now]).shards[0]?.servicePorts).to.deep.equal(held.servicePorts);
    });
  });

  it('keeps what vanished as long as it stays away', () => {
    const once = retainShards([first('enforce')], []);
    const twice = retainShards(once.shards, []);
    expect(twice).to.deep.equal(once);
    expect(retainShards(twice.shards, [first('release')])).to.deep.equal({
      shards: [first('release')],
      problems: [],
    });
  });
});
