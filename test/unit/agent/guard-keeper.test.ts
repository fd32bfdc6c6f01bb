import { expect } from 'chai';
import { guardKeeper, type GuardKeeper } from '../../../app/agent/guard-keeper.ts';
import type { GuardMode } from '../../../app/domain/facts.ts';
import type { GuardRows } from '../../../app/domain/host-config.ts';
import type { Problem } from '../../../app/domain/problem.ts';
import type { GuardCounters } from '../../../app/guard/counters.ts';
import { GuardError } from '../../../app/guard/nft.ts';
import { capturedLog, type CapturedLog } from '../../support/captured-log.ts';
import { address, prefix } from '../../support/facts-builders.ts';
import { fakeNft, type FakeNft, type FakeTable } from '../../support/fake-nft.ts';
import { virtualClock, type VirtualClock } from '../../support/virtual-clock.ts';

const EMPTY: GuardRows = { endpoints: [], clusterIps: [], pools: [prefix('172.16.0.0/16')] };
const rows = (...holds: readonly ('counts' | 'holds')[]): GuardRows => ({
  ...EMPTY,
  endpoints: holds.map((hold, index) => ({
    address: address('172.16.0.9'),
    protocol: 'udp',
    port: index + 1,
    holdEgress: hold === 'holds',
    holdIngress: false,
  })),
});
const clusterIp = (text: string): GuardRows['clusterIps'][number] => ({
  address: address(text),
  protocol: 'udp',
  port: 53,
});
const element = (port: number): string => `172.16.0.9 . 17 . ${port}`;

describe('guardKeeper', () => {
  let nft: FakeNft;
  let applied: string[];
  let log: CapturedLog;
  let keeper: GuardKeeper;
  let drops: (GuardCounters['drops'] | undefined)[];
  let repairs: number;
  let clock: VirtualClock;

  const start = (): void => {
    keeper = guardKeeper({
      nft,
      localInterfaces: 'cali*',
      clock,
      log: log.log,
      watcher: { onCounters: (seen) => drops.push(seen?.drops), onRepair: () => (repairs += 1) },
    });
  };
  /** A whole round; the marker stands where charon's steps would. */
  const round = async (wanted: GuardRows, mode: GuardMode = 'enforce'): Promise<readonly Problem[]> => {
    const { finish } = await keeper.begin(wanted, mode);
    applied.push('charon');
    return finish();
  };
  const since = (): string[] => applied.splice(0);
  const messages = (): unknown[] => log.lines.map(({ msg }) => msg);

  beforeEach(() => {
    applied = [];
    drops = [];
    repairs = 0;
    clock = virtualClock();
    nft = fakeNft((what) => applied.push(what));
    log = capturedLog();
    start();
  });

  describe('a round', () => {
    it('creates the table with all that it holds before charon changes', async () => {
      expect(await round(rows('holds', 'counts'))).to.deep.equal([]);
      expect(since()).to.deep.equal(['create', 'charon']);
      expect(nft.elements('endpoints4')).to.deep.equal([element(1), element(2)]);
      expect(nft.elements('holding4')).to.deep.equal([element(1)]);
    });

    it('changes nothing in a second one', async () => {
      await round(rows('holds'));
      since();
      for (let time = 0; time < 3; time += 1) await round(rows('holds'));
      expect(since()).to.deep.equal(['charon', 'charon', 'charon']);
      expect(messages()).to.deep.equal(['guard changed']);
    });

    it('runs nft once to look again, and finds all the same that the table is gone', async () => {
      await round(rows('holds'));
      await round(rows('holds'));
      nft.lists.splice(0);
      since();
      await round(rows('holds'));
      expect(nft.lists).to.deep.equal([`table inet ${[...nft.tables.keys()].join()}`]);
      nft.flushRuleset();
      await round(rows('holds'));
      expect(since()).to.deep.equal(['charon', 'create', 'charon']);
    });

    it('finds a table of ours that somebody put beside it, in the thirtieth look at the latest', async () => {
      await round(rows('holds'));
      const [[name, table]] = [...nft.tables] as [[string, FakeTable]];
      nft.tables.set(name.replace(/[0-9a-f]{8}/, '01234567'), structuredClone(table));
      for (let look = 2; look <= 31; look += 1) await round(rows('holds'));
      expect([...nft.tables.keys()]).to.deep.equal([name]);
    });

    const table: readonly { name: string; from: GuardRows; to: GuardRows; expect: readonly string[] }[] = [
      {
        name: 'takes up what is new before charon',
        from: rows('counts'),
        to: rows('counts', 'holds'),
        expect: ['add endpoints4, add holding4', 'charon'],
      },
      {
        name: 'holds what was counted after charon',
        from: rows('counts'),
        to: rows('holds'),
        expect: ['charon', 'add holding4'],
      },
      {
        name: 'releases what goes on being counted before charon',
        from: rows('holds'),
        to: rows('counts'),
        expect: ['delete holding4', 'charon'],
      },
      {
        name: 'removes what is not protected any more after charon',
        from: rows('counts', 'holds'),
        to: rows('counts'),
        expect: ['charon', 'delete holding4, delete endpoints4'],
      },
      {
        name: 'takes the table away with the last of what is protected, after charon',
        from: rows('holds'),
        to: EMPTY,
        expect: ['charon', 'delete table'],
      },
      { name: 'makes none where nothing is protected', from: EMPTY, to: EMPTY, expect: ['charon'] },
    ];
    for (const { name, from, to, expect: effects } of table)
      it(name, async () => {
        await round(from);
        since();
        await round(to);
        expect(since()).to.deep.equal(effects);
      });

    it('follows the mode', async () => {
      const effects = async (mode: GuardMode): Promise<string[]> => {
        await round(rows('holds'), mode);
        return since();
      };
      expect(await effects('enforce')).to.deep.equal(['create', 'charon']);
      expect(await effects('observe')).to.deep.equal(['observe', 'charon']);
      expect(await effects('enforce')).to.deep.equal(['charon', 'enforce']);
      expect(await effects('off')).to.deep.equal(['charon', 'delete table']);
      expect(await effects('off')).to.deep.equal(['charon']);
      expect(repairs).to.equal(0);
    });

    it('gives what was counted before it, and nothing where there was no table', async () => {
      expect((await keeper.begin(rows('holds'), 'enforce')).counters).to.equal(undefined);
      nft.count(element(1), 7);
      const { counters } = await keeper.begin(rows('holds'), 'enforce');
      expect([...(counters?.demand ?? [])]).to.deep.equal([['172.16.0.9 udp/1', 7]]);
    });

    it('tells what was dropped in each look, and that nobody knows when it cannot be read', async () => {
      await round(rows('holds'));
      await round(rows('holds'));
      nft.fail(new GuardError('timeout', 'too long'), { when: /^list/ });
      await round(rows('holds'));
      const none = { ingress: 0, egress: 0, cluster_ip: 0, masqueraded: 0, icmp_errors: 0 };
      expect(drops).to.deep.equal([undefined, none, none, undefined]);
    });
  });

  describe('when nft fails', () => {
    it('reports it when the round begins, and tries nothing after charon', async () => {
      await round(rows('counts'));
      since();
      nft.fail(new GuardError('refused', 'busy'), { when: /^add element/ });
      const problems = await round(rows('holds', 'counts'));
      expect(problems.map(({ reason, subject }) => [reason, subject])).to.deep.equal([
        ['GuardMissing', 'guard'],
      ]);
      expect(problems[0]?.message).to.contain('(refused): busy.');
      expect(since()).to.deep.equal(['charon']);
      expect(await round(rows('holds', 'counts'))).to.deep.equal([]);
      expect(nft.elements('holding4')).to.deep.equal([element(1)]);
    });

    it('reports it when the round ends, and does the rest in the next one', async () => {
      await round(rows('counts'));
      since();
      nft.fail(new GuardError('refused', 'busy'), { when: /holding4/ });
      const problems = await round(rows('holds', 'counts'));
      expect(problems.map(({ reason }) => reason)).to.deep.equal(['GuardMissing']);
      expect(since()).to.deep.equal(['add endpoints4', 'charon']);
      expect(await round(rows('holds', 'counts'))).to.deep.equal([]);
      expect(since()).to.deep.equal(['charon', 'add holding4']);
      expect(repairs, 'what we left half done is not somebody else’s doing').to.equal(0);
    });

    it('says it in the log once, and again when it fails in another way or after it went well', async () => {
      nft.fail(new GuardError('missing', 'no nft'), { times: 3 });
      for (let time = 0; time < 3; time += 1) await round(rows('holds'));
      nft.fail(new GuardError('permission', 'no rights'));
      await round(rows('holds'));
      await round(rows('holds'));
      nft.fail(new GuardError('permission', 'no rights'));
      await round(rows('holds'));
      const said = log.lines.filter(({ msg }) => msg === 'the guard cannot be kept');
      expect(said.map(({ reason }) => /\((\w+)\)/.exec(String(reason))?.[1])).to.deep.equal([
        'missing',
        'permission',
        'permission',
      ]);
    });

    it('throws a bug on', async () => {
      const thrown = async (work: () => Promise<unknown>): Promise<unknown> =>
        work().then(
          () => undefined,
          (error: unknown) => error,
        );
      await round(rows('counts'));
      const bug = new TypeError('undefined is no function');
      nft.fail(bug, { when: /^list/ });
      expect(await thrown(() => keeper.begin(rows('counts'), 'enforce'))).to.equal(bug);
      nft.fail(bug, { when: /holding4/ });
      const { finish } = await keeper.begin(rows('holds'), 'enforce');
      expect(await thrown(finish)).to.equal(bug);
      nft.fail(bug, { when: /^list/ });
      expect(await thrown(() => keeper.restore(rows('holds'), 'enforce'))).to.equal(bug);
    });
  });

  describe('when somebody else changed it', () => {
    const put = 'somebody else had changed the guard: it is put back';

    const damages: readonly { name: string; damage: () => void; found: string }[] = [
      { name: 'flushed the ruleset', damage: () => nft.flushRuleset(), found: 'no table' },
      {
        name: 'took an element away',
        damage: () => [...nft.tables.values()][0]?.sets.get('holding4')?.clear(),
        found: 'other elements, or another mode',
      },
      {
        name: 'let pass what is held',
        damage: () => [...nft.tables.values()][0]?.chains.get('held')?.rules.splice(0),
        found: 'other elements, or another mode',
      },
      {
        name: 'took rules away',
        damage: () => [...nft.tables.values()][0]?.chains.get('egress')?.rules.splice(0),
        found: 'chain egress',
      },
    ];
    for (const { name, damage, found } of damages)
      it(`puts it back and says so once, when somebody ${name}`, async () => {
        await round(rows('holds'));
        damage();
        expect(await round(rows('holds'))).to.deep.equal([]);
        await round(rows('holds'));
        expect([nft.tables.size, nft.elements('holding4')]).to.deep.equal([1, [element(1)]]);
        expect([...nft.tables.values()][0]?.chains.get('held')?.rules).to.deep.equal(['enforce']);
        expect(repairs).to.equal(1);
        expect(log.lines.filter(({ msg }) => msg === put).map((line) => line['found'])).to.deep.equal([
          found,
        ]);
        since();
        await round(rows('holds'));
        expect(since()).to.deep.equal(['charon']);
      });

    it('sees it although other rows are wanted in the same pass', async () => {
      await round(rows('holds'));
      nft.flushRuleset();
      await round(rows('holds', 'holds'));
      expect(repairs).to.equal(1);
    });

    it('counts it when it is put back, not when that fails', async () => {
      await round(rows('holds'));
      nft.flushRuleset();
      nft.fail(new GuardError('refused', 'busy'), { when: /^create/, times: 2 });
      await round(rows('holds'));
      await round(rows('holds'));
      expect([repairs, messages().includes(put)]).to.deep.equal([0, false]);
      await round(rows('holds'));
      await round(rows('holds'));
      expect([repairs, messages().filter((msg) => msg === put).length]).to.deep.equal([1, 1]);
    });

    it('does not take its own changes for it, nor what another agent left', async () => {
      for (const wanted of [rows('counts'), rows('holds'), rows('holds', 'counts'), rows('counts'), EMPTY])
        await round(wanted);
      await round(rows('holds'));
      start();
      await round(rows('counts', 'counts'));
      nft.flushRuleset();
      start();
      await round(rows('holds'));
      expect(repairs).to.equal(0);
    });
  });

  describe('its report', () => {
    const NEVER = { repairs: 0, lastRepair: '' };
    const two = { ...rows('holds', 'counts'), clusterIps: [clusterIp('10.96.0.10')] };

    it('knows nothing before the first round', () => {
      expect(keeper.report()).to.include({ mode: 'enforce', state: 'unknown' });
    });

    it('tells what was read back after the round, not what was meant', async () => {
      await round(two);
      expect(keeper.report()).to.deep.equal({
        mode: 'enforce',
        state: 'enforce',
        rows: 3,
        holding: 2,
        ...NEVER,
      });
      await round(rows('holds'), 'observe');
      expect(keeper.report()).to.include({ mode: 'observe', state: 'observe', rows: 1, holding: 1 });
      await round(rows('holds'), 'off');
      expect(keeper.report()).to.include({ mode: 'off', state: 'off', rows: 0 });
      await round(EMPTY);
      expect(keeper.report()).to.include({ mode: 'enforce', state: 'none', rows: 0 });
    });

    it('says that it is missing while somebody takes it away in the same moment, and differs while another stays', async () => {
      const apply = nft.apply.bind(nft);
      nft.apply = async (text) => {
        await apply(text);
        nft.flushRuleset();
      };
      await round(rows('holds'));
      expect(keeper.report()).to.include({ state: 'missing', rows: 0 });
      nft.apply = async (text) => {
        await apply(text);
        [...nft.tables.values()][0]?.sets.get('holding4')?.clear();
      };
      await round(rows('holds'));
      expect(keeper.report()).to.include({ state: 'differs', rows: 1, holding: 0 });
      nft.apply = apply;
      await round(rows('holds'));
      expect(keeper.report()).to.include({ state: 'enforce', holding: 1 });
    });

    it('knows nothing when nft fails, before, between and after', async () => {
      for (const when of [/^list tables/, /^create/, /^list table inet/]) {
        nft.flushRuleset();
        nft.fail(new GuardError('timeout', 'too long'), { when });
        await round(rows('holds'));
        expect(keeper.report(), String(when)).to.include({ state: 'unknown' });
        await round(rows('holds'));
        expect(keeper.report()).to.include({ state: 'enforce' });
      }
    });

    it('tells of a repair, and of those that never end once a minute', async () => {
      await round(rows('holds'));
      const flushed = async (): Promise<ReturnType<GuardKeeper['report']>> => {
        nft.flushRuleset();
        await round(rows('holds'));
        return keeper.report();
      };
      await clock.advance(1000);
      const first = { state: 'enforce', repairs: 1, lastRepair: '2026-01-01T00:00:01.000Z' };
      expect(await flushed()).to.include(first);
      await clock.advance(59_000);
      expect(await flushed()).to.include(first);
      await clock.advance(1000);
      expect(keeper.report()).to.include({ repairs: 2, lastRepair: '2026-01-01T00:01:00.000Z' });
    });

    it('tells of a guard that is kept for want of facts', async () => {
      await keeper.restore(rows('holds'), 'enforce');
      expect(keeper.report()).to.include({ state: 'enforce', rows: 1 });
      await keeper.restore(rows('holds', 'holds'), 'enforce');
      expect(keeper.report()).to.include({ state: 'enforce', rows: 1 });
      [...nft.tables.values()][0]?.chains.get('egress')?.rules.splice(0);
      await keeper.restore(rows('holds'), 'enforce');
      expect(keeper.report()).to.include({ state: 'differs' });
      nft.flushRuleset();
      await keeper.restore(EMPTY, 'enforce');
      expect(keeper.report()).to.include({ state: 'none' });
    });
  });

  describe('restore', () => {
    it('makes a table that holds when there is none of ours', async () => {
      expect(await keeper.restore(rows('holds', 'counts'), 'enforce')).to.deep.equal([]);
      expect(since()).to.deep.equal(['create']);
      expect(nft.elements('holding4')).to.deep.equal([element(1)]);
      expect([...nft.tables.values()][0]?.chains.get('held')?.rules).to.deep.equal(['enforce']);
    });

    it('touches none that is there, be it whole, changed or of another release', async () => {
      await round(rows('holds', 'holds'));
      since();
      start();
      await keeper.restore(rows('counts'), 'enforce');
      const [name = '', table] = [...nft.tables][0] ?? [];
      table?.chains.get('egress')?.rules.splice(0);
      await keeper.restore(rows('counts'), 'enforce');
      nft.tables.delete(name);
      nft.tables.set('ipsec_policy_guard_00000000_0', table!);
      await keeper.restore(rows('counts'), 'enforce');
      expect(since()).to.deep.equal([]);
    });

    it('makes none where the file protects nothing', async () => {
      await keeper.restore(EMPTY, 'enforce');
      expect(since()).to.deep.equal([]);
    });

    it('keeps to the mode of the file', async () => {
      await keeper.restore(rows('holds'), 'off');
      expect(since()).to.deep.equal([]);
      await keeper.restore(rows('holds'), 'observe');
      expect(keeper.report()).to.include({ mode: 'observe', state: 'observe' });
      expect([...nft.tables.values()][0]?.chains.get('held')?.rules).to.deep.equal([]);
    });

    it('puts it back when it goes again, and is no repair when it is first made', async () => {
      await keeper.restore(rows('holds'), 'enforce');
      expect(repairs).to.equal(0);
      nft.flushRuleset();
      await keeper.restore(rows('holds'), 'enforce');
      await keeper.restore(rows('holds'), 'enforce');
      expect([repairs, nft.tables.size]).to.deep.equal([1, 1]);
    });

    it('is followed by what the facts say, in elements, with nothing let go', async () => {
      await keeper.restore({ ...rows('holds'), pools: [prefix('172.16.7.0/26')] }, 'enforce');
      since();
      await round(rows('holds', 'counts'));
      expect(since()).to.deep.equal(['delete pools4, add pools4, add endpoints4', 'charon']);
      expect(repairs).to.equal(0);
    });

    it('reports that it cannot', async () => {
      nft.fail(new GuardError('permission', 'no'));
      expect((await keeper.restore(rows('holds'), 'enforce')).map(({ reason }) => reason)).to.deep.equal([
        'GuardMissing',
      ]);
    });
  });
});
