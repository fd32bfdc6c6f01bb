// How the guard's table is created, changed, replaced and found again: with the real nft and this machine's own kernel.
// What its rules do to packets: guard-holds.test.ts.
import { expect } from 'chai';
import type { GuardMode } from '../../app/domain/facts.ts';
import type { GuardRows } from '../../app/domain/host-config.ts';
import type { Address, Prefix } from '../../app/domain/ip.ts';
import { applyGuard, readGuard } from '../../app/guard/guard.ts';
import { nftSession } from '../../app/guard/nft-session.ts';
import { GuardError, nftProgram, type Nft, type NftOptions } from '../../app/guard/nft.ts';
import { planGuard, planTexts } from '../../app/guard/plan-guard.ts';
import type { GuardTable } from '../../app/guard/read-back.ts';
import { guardElements } from '../../app/guard/rows.ts';
import { guardRuleset, type Ruleset } from '../../app/guard/ruleset.ts';
import { PODS, POOLS, startGuardNetwork, type GuardNetwork } from './guard-network.ts';

const ruleset = guardRuleset('cali*');

describe("the guard's table", function () {
  this.timeout(120_000);
  let network: GuardNetwork;
  let nft: Nft;

  before(async () => {
    network = await startGuardNetwork();
    nft = network.nft('A');
    await network.pods.far.listen('udp', 4, 53);
  });
  after(() => network.close());
  afterEach(() => network.run('A', 'nft', 'flush', 'ruleset'));

  const guard = async (
    rows: GuardRows,
    mode: GuardMode = 'enforce',
    of: Ruleset = ruleset,
  ): Promise<string[]> => {
    const texts = planTexts(planGuard({ mode, rows, ruleset: of }, await readGuard(nft, of)));
    await applyGuard(nft, texts);
    return texts;
  };
  const present = async (of: Ruleset = ruleset): Promise<GuardTable> => {
    const state = await readGuard(nft, of);
    if (state.kind !== 'present') throw new Error(`the guard is ${JSON.stringify(state)}`);
    return state.table;
  };
  /** Each table starts to count at 0, so that this shows that packets meet it. */
  const untilHeld = async (of: Ruleset): Promise<void> => {
    const end = performance.now() + 10_000;
    while (((await present(of)).counters.drops.egress ?? 0) === 0)
      if (performance.now() > end) throw new Error('no packet was held');
  };
  const tables = (): string[] => network.run('A', 'nft', 'list', 'tables').trim().split('\n').sort();

  it('is read back as it was written', async () => {
    expect(await readGuard(nft, ruleset)).to.deep.equal({ kind: 'absent', others: [] });
    await guard(ROWS);
    const table = await present();
    expect(table).to.deep.include({ mode: 'enforce', elements: guardElements(ROWS) });
    expect(table.counters.drops).to.deep.equal({
      ingress: 0,
      egress: 0,
      cluster_ip: 0,
      masqueraded: 0,
      icmp_errors: 0,
    });
    expect([...table.counters.demand.keys()]).to.have.lengthOf(ROWS.endpoints.length);
  });

  it('is left alone while nothing changes', async () => {
    await guard(ROWS);
    const monitor = await network.monitor('A');
    expect(await guard(ROWS)).to.deep.equal([]);
    expect(await monitor.stop()).to.deep.equal([]);
  });

  it('sees one element for one endpoint that comes, holds, is released and goes', async () => {
    await guard(ROWS);
    const [first] = ROWS.endpoints;
    const address = '172.16.166.190' as Address;
    const withEndpoint = (holdEgress: boolean): GuardRows => ({
      ...ROWS,
      endpoints: [...ROWS.endpoints, { ...first!, address, holdEgress }],
    });
    const steps = [];
    for (const rows of [withEndpoint(false), withEndpoint(true), withEndpoint(false), ROWS]) {
      const monitor = await network.monitor('A');
      await guard(rows);
      steps.push(
        (await monitor.stop()).map((line) => line.replace(/ inet \S+/, '').replace(/ counter .* }/, ' }')),
      );
    }
    const element = '{ 172.16.166.190 . udp . 53 }';
    expect(steps).to.deep.equal([
      [`add element endpoints4 ${element}`],
      [`add element holding4 ${element}`],
      [`delete element holding4 ${element}`],
      [`delete element endpoints4 ${element}`],
    ]);
  });

  it('keeps what it has counted through stages', async () => {
    await guard({ ...ROWS, endpoints: ROWS.endpoints.map((row) => ({ ...row, holdEgress: false })) });
    await network.pods.near.send({ address: PODS.far[4], port: 53, count: 4 });
    await guard(ROWS);
    expect((await present()).counters.demand.get(`${PODS.far[4]} udp/53`)).to.equal(4);
  });

  it('takes a pool that overlaps one that goes', async () => {
    await guard(ROWS);
    const rows = { ...ROWS, pools: ['172.0.0.0/8', 'fd00:172::/32', 'fd00:172:16::/64'] as Prefix[] };
    await guard(rows);
    expect((await present()).elements.pools4).to.deep.equal(['172.0.0.0/8']);
    expect(await guard(rows)).to.deep.equal([]);
    await guard(ROWS);
    expect((await present()).elements).to.deep.equal(guardElements(ROWS));
  });

  it('changes between modes by one rule, and goes in mode off', async () => {
    await guard(ROWS);
    expect(await guard(ROWS, 'observe')).to.have.lengthOf(1);
    expect((await present()).mode).to.equal('observe');
    expect(await guard(ROWS, 'enforce')).to.have.lengthOf(1);
    expect((await present()).mode).to.equal('enforce');
    await guard(ROWS, 'off');
    expect(tables()).to.deep.equal(['']);
  });

  it('is found modified when somebody took a rule or a set away or put one in, and is replaced', async () => {
    for (const tamper of [
      (name: string) => ['flush', 'chain', 'inet', name, 'egress'],
      (name: string) => ['insert', 'rule', 'inet', name, 'egress', 'accept'],
      (name: string) => ['add', 'chain', 'inet', name, 'strange'],
      (name: string) => ['add', 'element', 'inet', name, 'holding4', '{ 1.2.3.4 . 200 . 5 }'],
      (name: string) => ['add', 'rule', 'inet', name, 'held', 'accept'],
    ]) {
      await guard(ROWS);
      const { name } = await present();
      network.run('A', 'nft', ...tamper(name));
      expect((await readGuard(nft, ruleset)).kind, tamper(name).join(' ')).to.equal('modified');
      await guard(ROWS);
      const table = await present();
      expect(table.elements).to.deep.equal(guardElements(ROWS));
      expect(table.name).not.to.equal(name);
      expect(tables(), 'the old one is gone').to.deep.equal([`table inet ${table.name}`]);
    }
  });

  it('heals elements that somebody took away, one by one', async () => {
    await guard(ROWS);
    const { name } = await present();
    network.run('A', 'nft', 'flush', 'set', 'inet', name, 'holding4');
    await guard(ROWS);
    expect(await present()).to.deep.include({ name, elements: guardElements(ROWS) });
  });

  it('holds without a gap while rules of another release replace it', async () => {
    const later = guardRuleset('cali-*');
    await guard(ROWS);
    const wire = await network.capture();
    await network.pods.near.flood({ address: PODS.far[4], port: 53 });
    for (const next of [later, ruleset, later, ruleset]) {
      await guard(ROWS, 'enforce', next);
      await untilHeld(next);
    }
    await network.pods.near.endFlood();
    expect(await wire.stop()).to.deep.equal([]);
    expect(tables()).to.have.lengthOf(1);
    await present();
  });

  it('leaves tables of others alone', async () => {
    network.run('A', 'nft', 'add table inet ipsec_policy_guardian; add table ip filter');
    await guard(ROWS);
    await guard(ROWS, 'off');
    expect(tables()).to.deep.equal(['table inet ipsec_policy_guardian', 'table ip filter']);
  });

  it('changes nothing by a transaction that is refused', async () => {
    await guard(ROWS);
    const { name, elements } = await present();
    const text = `add element inet ${name} holding4 { 1.2.3.4 . 17 . 5 }\ndelete element inet ${name} holding4 { 1.2.3.4 . 17 . 6 }\n`;
    expect(await failure(() => nft.apply(text))).to.equal('refused soon');
    expect((await present()).elements).to.deep.equal(elements);
  });

  it('says when rights or nft are missing', async () => {
    for (const open of [nftProgram, (options: NftOptions) => nftSession(nftProgram(options), options)]) {
      const unprivileged = open({ command: ['setpriv', '--reuid=65534', '--clear-groups', 'nft'] });
      expect(await failure(() => readGuard(unprivileged, ruleset))).to.equal('permission on-change');
      const missing = open({ command: ['/nonexistent/nft'] });
      expect(await failure(() => readGuard(missing, ruleset))).to.equal('missing on-change');
    }
  });
});

async function failure(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
    return 'none';
  } catch (error) {
    if (!(error instanceof GuardError)) throw error;
    return `${error.failure} ${error.retry}`;
  }
}

const ROWS: GuardRows = {
  endpoints: [
    { address: PODS.far[4] as Address, protocol: 'udp', port: 53, holdEgress: true, holdIngress: false },
    { address: PODS.far[4] as Address, protocol: 'sctp', port: 65535, holdEgress: false, holdIngress: true },
    { address: PODS.far[4] as Address, protocol: 'tcp', port: 1, holdEgress: false, holdIngress: false },
    { address: PODS.far[6] as Address, protocol: 'udp', port: 53, holdEgress: true, holdIngress: false },
  ],
  clusterIps: [
    { address: '10.96.0.10' as Address, protocol: 'udp', port: 53 },
    { address: 'fd00:96::a' as Address, protocol: 'tcp', port: 9153 },
  ],
  pools: [POOLS[4], '10.0.0.0/17', '10.0.128.0/17', '10.1.0.1/32', POOLS[6], 'fd00:1::5/128'] as Prefix[],
};
