// The guard around charon's steps in whole passes, and flows that are initiated because the guard has seen demand for them.
import { expect } from 'chai';
import type { Facts, Stage } from '../../../app/domain/facts.ts';
import { GuardError } from '../../../app/guard/nft.ts';
import { startAgentHost, VERIFY_MS, type AgentHost } from '../../support/agent-host.ts';
import { endpoint, facts, network, shard } from '../../support/facts-builders.ts';

const WORKER_0 = 'k8s-node-worker-0';
const INITIATE = `initiate ${WORKER_0} tcp_b_egress`;
const ELEMENT = '172.16.43.2 . 6 . 2';

const inStage = (stage: Stage): Facts =>
  facts({
    shards: [
      shard({
        of: 'ns/b',
        stages: 'tcp/2',
        stage,
        endpoints: [endpoint('172.16.43.2', 'worker-0', 'tcp/2')],
      }),
    ],
  });

describe('agentPass with a guard', () => {
  let host: AgentHost;
  const start = async (given: Facts | undefined): Promise<void> => {
    host = await startAgentHost(given, { hasGuard: true });
  };
  const know = (given: Facts): void => {
    host.known = { facts: given, problems: [] };
  };
  const effects = async (given: Facts): Promise<string[]> => {
    know(given);
    host.done();
    await host.pass();
    return host.done();
  };
  const reasons = (): string[] => host.report().problems.map(({ reason }) => reason);
  const changesOfGuard = (): string[] => host.done().filter((line) => line.startsWith('nft'));

  afterEach(async () => host.stop());

  describe('in order', () => {
    it('takes up before the file and the loads, holds after them, releases before and removes after', async () => {
      await start(inStage('prepare'));
      await host.pass();
      expect(host.done()).to.deep.equal(['nft create', 'write-file', `load-conn ${WORKER_0}`]);
      expect(host.nft.elements('holding4')).to.deep.equal([]);
      expect(await effects(inStage('protect'))).to.deep.equal([
        'write-file',
        `load-conn ${WORKER_0}`,
        'nft add holding4',
      ]);
      expect(await effects(inStage('enforce'))).to.deep.equal([]);
      expect(await effects(inStage('release'))).to.deep.equal([
        'nft delete holding4',
        'write-file',
        `load-conn ${WORKER_0}`,
      ]);
      expect(await effects(inStage('gone'))).to.deep.equal([
        'remove-file',
        `unload-conn ${WORKER_0}`,
        'nft delete table',
      ]);
      expect(host.lines.filter(({ level }) => level !== 'info')).to.deep.equal([]);
    });

    it('changes nothing in idle passes', async () => {
      await start(inStage('enforce'));
      await host.pass();
      host.done();
      for (let time = 0; time < 3; time += 1) {
        await host.clock.advance(VERIFY_MS);
        expect(await host.pass()).to.equal(VERIFY_MS);
      }
      expect(host.done()).to.deep.equal([]);
    });

    it('puts back a table that somebody flushed, in the next pass, and counts it once', async () => {
      await start(inStage('enforce'));
      await host.pass();
      host.done();
      host.nft.flushRuleset();
      await host.pass();
      expect(host.done()).to.deep.equal(['nft create']);
      expect(host.nft.elements('holding4')).to.deep.equal([ELEMENT]);
      await host.pass();
      expect([host.repairs, host.done()]).to.deep.equal([1, []]);
    });
  });

  describe('when something fails', () => {
    it('does all of its part while charon is away', async () => {
      await start(inStage('prepare'));
      await host.pass();
      host.done();
      await host.charon.stop();
      know(inStage('protect'));
      await host.failingPass();
      expect(host.nft.elements('holding4')).to.deep.equal([ELEMENT]);
      know(inStage('gone'));
      await host.failingPass();
      expect(host.nft.tables.size).to.equal(0);
      know(inStage('enforce'));
      await host.failingPass();
      expect(host.nft.elements('holding4')).to.deep.equal([ELEMENT]);
      expect(reasons()).to.deep.equal(['CharonUnreachable']);
    });

    it('does all of its part when the file cannot be written', async () => {
      await start(inStage('prepare'));
      await host.pass();
      host.done();
      host.isDiskFull = true;
      know(inStage('protect'));
      await host.failingPass();
      expect(host.done()).to.deep.equal(['nft add holding4']);
      expect(reasons()).to.deep.equal(['FileNotWritten']);
    });

    it('goes on with charon when it cannot begin, and says so', async () => {
      await start(inStage('enforce'));
      host.nft.fail(new GuardError('missing', 'nft cannot be run'), { when: /^list/, times: 2 });
      await host.pass();
      expect(host.done()).to.deep.equal(['write-file', `load-conn ${WORKER_0}`]);
      expect(reasons()).to.deep.equal(['GuardMissing']);
      expect(host.report().loaded).to.have.length(1);
      await host.pass();
      expect(host.reports.at(-1), 'equal states give equal reports').to.deep.equal(host.reports.at(-2));
      await host.pass();
      expect([changesOfGuard(), reasons()]).to.deep.equal([['nft create'], []]);
    });

    it('says so when it cannot end, beside what else went wrong', async () => {
      await start(inStage('prepare'));
      await host.pass();
      host.nft.fail(new GuardError('refused', 'busy'), { when: /holding4/, times: 2 });
      expect(await effects(inStage('protect'))).to.deep.equal(['write-file', `load-conn ${WORKER_0}`]);
      expect(reasons()).to.deep.equal(['GuardMissing']);
      await host.charon.stop();
      await host.failingPass();
      expect(reasons()).to.deep.equal(['CharonUnreachable', 'GuardMissing']);
      await host.failingPass();
      expect(reasons()).to.deep.equal(['CharonUnreachable']);
      expect(host.nft.elements('holding4')).to.deep.equal([ELEMENT]);
    });

    it('throws a bug on, at the beginning and at the end', async () => {
      await start(inStage('prepare'));
      const bug = new TypeError('undefined is no function');
      host.nft.fail(bug, { when: /^list/ });
      expect(await host.failingPass()).to.equal(bug);
      expect(host.done()).to.deep.equal([]);
      await host.pass();
      host.nft.fail(bug, { when: /holding4/ });
      know(inStage('protect'));
      expect(await host.failingPass()).to.equal(bug);
      await host.charon.stop();
      host.nft.fail(bug, { when: /holding4/ });
      expect(await host.failingPass(), 'rather than that charon is away').to.equal(bug);
    });
  });

  describe('with demand', () => {
    const prepared = async (packets: number): Promise<void> => {
      await start(inStage('prepare'));
      await host.pass();
      await host.pass();
      host.nft.count(ELEMENT, packets);
      host.done();
    };

    it('initiates a live flow, the IKE_SA first, and waits for it, before its trap is written and loaded', async () => {
      await prepared(1);
      expect(await effects(inStage('protect'))).to.deep.equal([
        `initiate ${WORKER_0}`,
        INITIATE,
        'write-file',
        `load-conn ${WORKER_0}`,
        'nft add holding4',
      ]);
      const initiations = host.charon.commands.filter(({ command }) => command === 'initiate');
      expect(initiations.map(({ message }) => message['timeout'])).to.deep.equal(['2000', '2000']);
      expect(host.charon.sas).to.have.length(1);
      expect(host.charon.sas[0]?.childSas).to.have.length(1);
      host.nft.count(ELEMENT, 2);
      await host.clock.advance(VERIFY_MS);
      expect(await effects(inStage('protect'))).to.deep.equal([]);
    });

    it('leaves a flow that nobody uses to its trap', async () => {
      await prepared(0);
      expect(await effects(inStage('protect'))).to.deep.equal([
        'write-file',
        `load-conn ${WORKER_0}`,
        'nft add holding4',
      ]);
    });

    it('sets the trap although the peer does not answer, and tries again with pauses', async () => {
      await prepared(1);
      host.charon.refuse('initiate', 'no answer');
      expect(await effects(inStage('protect'))).to.deep.equal([
        `initiate ${WORKER_0}`,
        INITIATE,
        'write-file',
        `load-conn ${WORKER_0}`,
        'nft add holding4',
      ]);
      const tried: number[] = [];
      const from = host.clock.monotonic();
      for (let elapsedMs = 0; elapsedMs < 40_000; elapsedMs = host.clock.monotonic() - from) {
        host.nft.count(ELEMENT, 2 + elapsedMs);
        const againMs = await host.pass();
        expect(againMs, 'the loop does not spin').to.be.within(1, VERIFY_MS);
        if (host.done().includes(INITIATE)) tried.push(elapsedMs);
        await host.clock.advance(againMs);
      }
      expect(tried).to.deep.equal([2000, 6000, 14_000, 30_000]);
      expect(host.report().peersNotReached).to.deep.equal(['worker-0']);
    });

    it('initiates beside a trap what is asked for in vain, and gives it up when nobody asks any more', async () => {
      await start(inStage('enforce'));
      host.charon.refuse('initiate', 'no answer');
      await host.pass();
      await host.pass();
      host.done();
      host.nft.count(ELEMENT, 1);
      expect(await host.pass(), 'looks again when the trap has had its time').to.be.at.most(2000);
      await host.clock.advance(1999);
      host.nft.count(ELEMENT, 2);
      await host.pass();
      expect(host.done()).to.deep.equal([]);
      await host.clock.advance(1);
      host.nft.count(ELEMENT, 3);
      await host.pass();
      expect(host.done()).to.deep.equal([INITIATE]);
      await host.clock.advance(4000);
      await host.pass();
      expect(host.report().peersNotReached).to.deep.equal(['worker-0']);
      host.done();
      await host.clock.advance(60_000);
      expect(await host.pass()).to.equal(VERIFY_MS);
      expect(host.report().peersNotReached).to.deep.equal([]);
      await host.clock.advance(60_000);
      await host.pass();
      expect(host.done()).to.deep.equal([]);
    });
  });

  it('does not spin while a restarted charon has nothing loaded and a tunnel is wanted back', async () => {
    await start(inStage('enforce'));
    await host.pass();
    host.charon.establish(WORKER_0, 'tcp_b_egress');
    await host.pass();
    host.charon.restart();
    await host.failingPass();
    for (let passes = 0; passes < 3; passes += 1) {
      const againMs = await host.pass();
      expect(againMs).to.be.within(20, VERIFY_MS);
      await host.clock.advance(againMs);
    }
  });

  describe('without facts', () => {
    /** As after a reboot: the file and what charon loaded from it are there, our table and all memory are not. */
    const reboot = async (): Promise<void> => {
      await host.pass();
      host.nft.flushRuleset();
      host.restartAgent();
      host.known = undefined;
      host.done();
    };
    const passesUntil = async (ms: number): Promise<void> => {
      const end = host.clock.monotonic() + ms;
      while (host.clock.monotonic() < end) await host.clock.advance(await host.pass());
      await host.pass();
    };

    it('rebuilds what the file holds after 10 s, and not before', async () => {
      await start(inStage('enforce'));
      await reboot();
      expect(await host.pass()).to.equal(VERIFY_MS);
      await host.clock.advance(7000);
      expect(await host.pass()).to.equal(3000);
      await host.clock.advance(3000);
      expect(host.done()).to.deep.equal([]);
      await host.pass();
      expect(host.done()).to.deep.equal(['nft create']);
      expect(host.nft.elements('holding4')).to.deep.equal([ELEMENT]);
      expect(host.nft.elements('pools4')).to.deep.equal(['172.16.192.64/26']);
      expect(host.reports).to.have.length(1);
    });

    for (const { mode, table } of [
      { mode: 'observe', table: ['ipsec_policy_guard'] },
      { mode: 'off', table: [] },
    ] as const)
      it(`keeps to mode ${mode}, which the file knows`, async () => {
        await start(facts({ ...inStage('enforce'), network: network({ guardMode: mode }) }));
        await reboot();
        await passesUntil(10_000);
        expect([...host.nft.tables.keys()].map((name) => name.slice(0, 18))).to.deep.equal(table);
        expect(
          [...host.nft.tables.values()].flatMap(({ chains }) => chains.get('held')?.rules),
        ).to.deep.equal([]);
      });

    it('does so while charon is away too', async () => {
      await start(inStage('enforce'));
      await reboot();
      await host.charon.stop();
      await host.failingPass();
      await host.clock.advance(10_000);
      await host.failingPass();
      expect(host.nft.elements('holding4')).to.deep.equal([ELEMENT]);
    });

    it('changes it by elements when facts come, and is no repair', async () => {
      await start(inStage('enforce'));
      await reboot();
      await passesUntil(10_000);
      host.done();
      know(inStage('enforce'));
      await host.pass();
      expect(changesOfGuard()).to.deep.equal(['nft delete pools4, add pools4']);
      expect(host.repairs).to.equal(0);
    });

    it('makes none where facts come in time, where there is no file, and where it cannot be read', async () => {
      await start(facts({ ...inStage('enforce'), network: network({ guardMode: 'off' }) }));
      const { known } = host;
      await reboot();
      await host.clock.advance(9999);
      host.known = known;
      await host.pass();
      for (const file of [undefined, 'connections {']) {
        host.restartAgent();
        host.known = undefined;
        host.file = file;
        await passesUntil(15_000);
      }
      expect(changesOfGuard()).to.deep.equal([]);
    });

    it('waits as long again when facts came in between', async () => {
      await start(inStage('enforce'));
      const { known } = host;
      await reboot();
      await host.pass();
      await host.clock.advance(9000);
      host.known = known;
      await host.pass();
      host.nft.flushRuleset();
      host.done();
      host.known = undefined;
      await host.pass();
      await host.clock.advance(9999);
      await host.pass();
      expect(host.done()).to.deep.equal([]);
      await host.clock.advance(1);
      await host.pass();
      expect([host.done(), host.repairs]).to.deep.equal([['nft create'], 1]);
    });

    it('touches no table that is there', async () => {
      await start(inStage('release'));
      await host.pass();
      const table = [...host.nft.tables.keys()];
      host.restartAgent();
      host.known = undefined;
      host.file = host.file?.replaceAll('start_action = none', 'start_action = trap');
      host.done();
      await passesUntil(15_000);
      expect(changesOfGuard()).to.deep.equal([]);
      expect([...host.nft.tables.keys()]).to.deep.equal(table);
    });

    it('says that it cannot, when something is known to report', async () => {
      await start(inStage('enforce'));
      await reboot();
      const problem = { reason: 'FactsUnreadable', subject: 'ns.b.0', message: 'no stage' } as const;
      host.known = { problems: [problem] };
      host.nft.fail(new GuardError('permission', 'no rights'));
      await passesUntil(10_000);
      expect(reasons()).to.deep.equal(['GuardMissing', 'FactsUnreadable']);
      await host.pass();
      expect(reasons()).to.deep.equal(['FactsUnreadable']);
    });
  });
});
