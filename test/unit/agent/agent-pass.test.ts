import { expect } from 'chai';
import { DEFAULT_PARAMETERS, type Facts } from '../../../app/domain/facts.ts';
import type { Tree } from '../../../app/swanctl/tree.ts';
import { startAgentHost, VERIFY_MS, type AgentHost } from '../../support/agent-host.ts';
import {
  CONTROLLER_1,
  endpoint,
  facts,
  network,
  seedFacts,
  shard,
  WORKER_0,
} from '../../support/facts-builders.ts';

const TO_CONTROLLER_1 = 'k8s-node-controller-1';
const TO_WORKER_0 = 'k8s-node-worker-0';
const LOADS = [`load-conn ${TO_CONTROLLER_1}`, `load-conn ${TO_WORKER_0}`];

/** One service behind each peer, none here: each needs one connection only. */
const ONE_FOR_EACH_PEER = facts({
  shards: [
    shard({ of: 'ns/a', stages: 'tcp/1', endpoints: [endpoint('172.16.166.130', 'controller-1', 'tcp/1')] }),
    shard({ of: 'ns/b', stages: 'tcp/2', endpoints: [endpoint('172.16.43.2', 'worker-0', 'tcp/2')] }),
  ],
});

function hasName(name: string): (message: Tree) => boolean {
  return (message) => name in message;
}

describe('agentPass', () => {
  let host: AgentHost;
  const start = async (given: Facts | undefined): Promise<void> => {
    host = await startAgentHost(given);
  };

  afterEach(async () => host.stop());

  describe('with nothing in the way', () => {
    it('writes the file, then loads each connection once, and reports all shards', async () => {
      await start(seedFacts());
      expect(await host.pass()).to.equal(VERIFY_MS);
      expect(host.done()).to.deep.equal(['write-file', ...LOADS]);
      expect(host.report().loaded.map(({ name }) => name)).to.deep.equal([
        'cert-manager.cm-cert-manager.0',
        'kube-system.kube-dns.0',
      ]);
      expect(host.report()).to.deep.include({ problems: [], peersNotReached: [], networkUid: 'network-1' });
      const { flows, flowsInForce, connections } = host.report().counters;
      expect([connections, flows]).to.deep.equal([2, 11]);
      expect(flowsInForce).to.equal(flows);
    });

    it('does nothing in a second pass and says the same', async () => {
      await start(seedFacts());
      await host.pass();
      host.done();
      await host.clock.advance(VERIFY_MS);
      expect(await host.pass()).to.equal(VERIFY_MS);
      expect(host.done()).to.deep.equal([]);
      expect(host.reports).to.have.length(2);
      expect(host.reports[1]).to.deep.equal(host.reports[0]);
    });

    it('gives the same result for facts in another order', async () => {
      await start(seedFacts());
      await host.pass();
      const { hosts, shards } = seedFacts();
      host.known = {
        facts: seedFacts({ hosts: hosts.toReversed(), shards: shards.toReversed() }),
        problems: [],
      };
      host.done();
      await host.pass();
      expect(host.done()).to.deep.equal([]);
      expect(host.reports[1]).to.deep.equal(host.reports[0]);
    });

    it('touches nothing and says nothing while no facts are known', async () => {
      await start(undefined);
      host.file = 'whatever stands there';
      host.charon.connections.set(TO_WORKER_0, {});
      expect(await host.pass()).to.equal(VERIFY_MS);
      expect(host.done()).to.deep.equal([]);
      expect(host.reports).to.deep.equal([]);
    });

    it('touches nothing and says why when the facts cannot be read', async () => {
      await start(undefined);
      const problem = { reason: 'FactsUnreadable', subject: 'ns.a.0', message: 'no stage' } as const;
      host.known = { problems: [problem] };
      host.charon.connections.set(TO_WORKER_0, {});
      await host.pass();
      expect(host.done()).to.deep.equal([]);
      expect(host.report()).to.deep.include({ problems: [problem], loaded: [] });
    });

    it('removes the file, then everything of ours, when nothing is protected any more', async () => {
      await start(seedFacts());
      await host.pass();
      host.done();
      host.known = { facts: facts(), problems: [] };
      await host.pass();
      expect(host.done()).to.deep.equal([
        'remove-file',
        `unload-conn ${TO_CONTROLLER_1}`,
        `unload-conn ${TO_WORKER_0}`,
      ]);
      expect(host.file).to.equal(undefined);
      expect([...host.charon.connections.keys()]).to.deep.equal([]);
    });

    it('puts back what somebody unloaded, and that alone', async () => {
      await start(seedFacts());
      await host.pass();
      host.done();
      host.charon.connections.delete(TO_WORKER_0);
      await host.pass();
      expect(host.done()).to.deep.equal([`load-conn ${TO_WORKER_0}`]);
      expect(host.report().problems).to.deep.equal([]);
    });

    it('puts back the file that somebody took away', async () => {
      await start(seedFacts());
      await host.pass();
      const before = host.file;
      host.file = undefined;
      host.done();
      await host.pass();
      expect(host.done()).to.deep.equal(['write-file']);
      expect(host.file).to.equal(before);
    });

    it('started anew, loads once more what is there, and writes nothing', async () => {
      await start(seedFacts());
      await host.pass();
      host.restartAgent();
      host.done();
      await host.pass();
      expect(host.done()).to.deep.equal(LOADS);
      expect(host.reports[1]).to.deep.equal(host.reports[0]);
      await host.pass();
      expect(host.done()).to.deep.equal([]);
    });

    it('never touches the platform and its SAs', async () => {
      await start(seedFacts());
      const platform = {
        remote_addrs: ['%any'],
        children: { node: { mode: 'transport', start_action: 'trap' } },
      };
      host.charon.connections.set('system-nodes', platform);
      host.charon.establish('system-nodes', 'node');
      await host.pass();
      host.known = { facts: facts(), problems: [] };
      await host.pass();
      await host.clock.advance(60_000);
      await host.pass();
      expect(host.charon.connections.get('system-nodes')).to.equal(platform);
      expect(host.charon.sas.map(({ name, childSas }) => [name, childSas.length])).to.deep.equal([
        ['system-nodes', 1],
      ]);
      expect(host.done().filter((line) => line.includes('system-nodes'))).to.deep.equal([]);
    });

    it('asks for a pass when an SA comes or goes', async () => {
      await start(seedFacts());
      await host.pass();
      host.charon.establish(TO_CONTROLLER_1, 'udp_kube-dns_egress');
      await host.pass();
      expect(host.triggers).to.be.at.least(1);
      expect(host.report().counters.childSas).to.equal(1);
    });
  });

  describe('when something is refused', () => {
    it('loads the others, reports the one, and withholds what it carries', async () => {
      await start(ONE_FOR_EACH_PEER);
      host.charon.refuse('load-conn', 'no such proposal', { when: hasName(TO_WORKER_0) });
      await host.pass();
      expect(host.done()).to.deep.equal(['write-file', ...LOADS]);
      expect([...host.charon.connections.keys()]).to.deep.equal([TO_CONTROLLER_1]);
      const { loaded, problems } = host.report();
      expect(loaded.map(({ name }) => name)).to.deep.equal(['ns.a.0']);
      expect(problems.find(({ reason }) => reason === 'LoadFailed')).to.deep.equal({
        reason: 'LoadFailed',
        subject: TO_WORKER_0,
        message: 'charon refused it: load-conn: no such proposal',
      });
    });

    it('tries again more and more slowly, says it once, and is done when it is taken', async () => {
      await start(ONE_FOR_EACH_PEER);
      host.charon.refuse('load-conn', 'not now', { when: hasName(TO_WORKER_0), times: 8 });
      const waits: number[] = [];
      for (let pass = 0; pass < 8; pass++) waits.push(await host.pass());
      expect(waits).to.deep.equal([300, 600, 1200, 2400, 4800, VERIFY_MS, VERIFY_MS, VERIFY_MS]);
      expect(host.lines.filter(({ msg }) => msg === 'charon refused a step')).to.have.length(1);
      expect(await host.pass()).to.equal(VERIFY_MS);
      expect(host.report().loaded).to.have.length(2);
      expect(host.report().problems).to.deep.equal([]);
      host.done();
      await host.pass();
      expect(host.done()).to.deep.equal([]);
    });

    it('does not say that an endpoint has left while its child cannot be removed', async () => {
      await start(
        facts({
          shards: [
            shard({
              of: 'ns/a',
              stages: 'tcp/1',
              endpoints: [
                endpoint('172.16.192.65', 'controller-0', 'tcp/1'),
                endpoint('172.16.192.66', 'controller-0', 'tcp/1'),
              ],
            }),
          ],
        }),
      );
      await host.pass();
      const leaving = shard({
        of: 'ns/a',
        stages: 'tcp/1',
        generation: 2,
        endpoints: [
          endpoint('172.16.192.65', 'controller-0', 'tcp/1', 'leaving'),
          endpoint('172.16.192.66', 'controller-0', 'tcp/1', 'leaving'),
        ],
      });
      host.known = { facts: facts({ shards: [leaving] }), problems: [] };
      host.charon.refuse('unload-conn', 'busy', { when: ({ name }) => name === TO_WORKER_0, times: 1 });
      await host.pass();
      expect(host.report().loaded).to.deep.equal([]);
      await host.pass();
      expect(host.report().loaded).to.deep.equal([{ ...leaving.version }]);
    });

    it('stops everything behind a file that cannot be written, and says so', async () => {
      await start(seedFacts());
      host.isDiskFull = true;
      const error = await host.failingPass();
      expect(error).to.deep.include({ name: 'FileError', retry: 'soon' });
      expect(host.done()).to.deep.equal([]);
      expect(host.report().loaded).to.deep.equal([]);
      expect(host.report().problems).to.deep.equal([
        {
          reason: 'FileNotWritten',
          subject: 'k8s-nodes.conf',
          message:
            'cannot write k8s-nodes.conf: no space left. Check /etc/swanctl/conf.d on this host: is the disk full, or read-only?',
        },
      ]);
      host.isDiskFull = false;
      await host.pass();
      expect(host.done()).to.deep.equal(['write-file', ...LOADS]);
      expect(host.report().problems).to.deep.equal([]);
    });

    it('keeps its names although somebody spoiled the file', async () => {
      await start(ONE_FOR_EACH_PEER);
      await host.pass();
      const before = host.file;
      host.file = 'connections {';
      host.done();
      await host.pass();
      expect(host.done()).to.deep.equal(['write-file']);
      expect(host.file).to.equal(before);
    });

    it('takes names that are free in charon when it starts with a file that it cannot read', async () => {
      await start(ONE_FOR_EACH_PEER);
      await host.pass();
      host.file = 'connections {';
      host.restartAgent();
      host.done();
      await host.pass();
      expect(host.done()).to.deep.equal(['write-file', ...LOADS]);
      expect(host.file).to.contain('tcp_a_egress-2 {');
      expect(host.file).not.to.contain('tcp_a_egress {');
      await host.pass();
      expect(host.done()).to.deep.equal([]);
      expect(host.report().loaded).to.have.length(2);
    });
  });

  describe('when facts change', () => {
    it('sends the one connection that differs', async () => {
      await start(ONE_FOR_EACH_PEER);
      await host.pass();
      host.done();
      const [first, second] = ONE_FOR_EACH_PEER.shards;
      const more = endpoint('172.16.43.3', 'worker-0', 'tcp/2');
      const shards = [first!, { ...second!, endpoints: [...second!.endpoints, more] }];
      host.known = { facts: facts({ shards }), problems: [] };
      await host.pass();
      expect(host.done()).to.deep.equal(['write-file', `load-conn ${TO_WORKER_0}`]);
    });

    it('ends the SA of a removed egress flow at once, that of an ingress flow after a while', async () => {
      await start(seedFacts());
      await host.pass();
      host.charon.establish(TO_CONTROLLER_1, 'udp_kube-dns_egress');
      host.charon.establish(TO_CONTROLLER_1, 'udp_kube-dns_ingress');
      const [egress, ingress] = host.charon.sas[0]!.childSas.map(({ uniqueId }) => uniqueId);
      host.known = { facts: seedFacts({ shards: seedFacts().shards.slice(1) }), problems: [] };
      host.done();
      expect(await host.pass()).to.equal(2000);
      expect(host.done().filter((line) => line.startsWith('terminate'))).to.deep.equal([
        `terminate ${egress}`,
      ]);
      await host.clock.advance(1999);
      expect(await host.pass()).to.equal(1);
      expect(host.done()).to.deep.equal([]);
      await host.clock.advance(1);
      expect(await host.pass()).to.equal(VERIFY_MS);
      expect(host.done()).to.deep.equal([`terminate ${ingress}`]);
      expect(host.charon.sas[0]!.childSas).to.deep.equal([]);
    });

    it('withholds a connection whose change was refused, although its children are there', async () => {
      await start(ONE_FOR_EACH_PEER);
      await host.pass();
      const parameters = { ...DEFAULT_PARAMETERS, dpdSeconds: 20 };
      host.known = { facts: { ...ONE_FOR_EACH_PEER, network: network({ parameters }) }, problems: [] };
      host.charon.refuse('load-conn', 'not with me', { when: hasName(TO_WORKER_0), times: 1 });
      await host.pass();
      expect(host.report().loaded.map(({ name }) => name)).to.deep.equal(['ns.a.0']);
      await host.pass();
      expect(host.report().loaded).to.have.length(2);
    });

    it('ends an IKE_SA with an older configuration once, and again after a minute, not in every pass', async () => {
      await start(ONE_FOR_EACH_PEER);
      await host.pass();
      host.charon.establish(TO_WORKER_0, 'tcp_b_egress');
      const id = host.charon.sas[0]!.uniqueId;
      const later = new Date(host.clock.now() + 3_600_000).toISOString();
      host.file = host.file?.replace(`  ${TO_WORKER_0} {`, `  # loaded-at: ${later}\n  ${TO_WORKER_0} {`);
      host.charon.refuse('terminate', 'the peer is away');
      const ended = (): string[] => host.done().filter((line) => line.startsWith('terminate'));
      await host.pass();
      expect(ended()).to.deep.equal([`terminate ${id}`]);
      for (let pass = 0; pass < 5; pass++) {
        await host.clock.advance(10_000);
        await host.pass();
      }
      expect(ended()).to.deep.equal([]);
      await host.clock.advance(10_001);
      await host.pass();
      expect(ended()).to.deep.equal([`terminate ${id}`]);
    });
  });

  describe('when charon goes away', () => {
    it('says that it cannot be reached, and loads everything when it is back', async () => {
      await start(seedFacts());
      await host.pass();
      await host.charon.stop();
      const error = await host.failingPass();
      expect(error).to.deep.include({ name: 'ViciClosedError', retry: 'soon' });
      expect(host.report()).to.deep.include({ loaded: [], charonVersion: '', networkUid: 'network-1' });
      expect(host.report().problems.map(({ reason }) => reason)).to.deep.equal(['CharonUnreachable']);
      await host.failingPass();
      await host.failingPass();
      expect(host.reports.at(-1)).to.deep.equal(host.reports.at(-2));
      await host.replaceCharon();
      expect(await host.pass(), 'to look again at a charon that has loaded nothing yet').to.equal(50);
      expect(host.done()).to.deep.equal([]);
      host.charon.loadPlatform();
      await host.pass();
      expect(host.done()).to.deep.equal(LOADS);
      expect(host.report().loaded).to.have.length(2);
    });

    it('survives losing it between two loads, and begins anew', async () => {
      await start(seedFacts());
      host.charon.hold('load-conn');
      const failing = host.failingPass();
      await host.charon.arrived('load-conn');
      host.charon.restart();
      expect(await failing).to.have.property('name', 'ViciClosedError');
      expect(host.report().loaded).to.deep.equal([]);
      host.charon.hold('load-conn')();
      host.charon.loadPlatform();
      host.done();
      await host.pass();
      expect(host.done()).to.deep.equal(LOADS);
      expect(host.report().problems).to.deep.equal([]);
    });

    it('loads again over a new session what the old one had sent', async () => {
      await start(seedFacts());
      await host.pass();
      host.done();
      host.charon.dropClients();
      await host.failingPass();
      await host.pass();
      expect(host.done()).to.deep.equal(LOADS);
      expect(host.losses).to.equal(1);
    });

    it('brings back the tunnels that were up, with pauses while the peer does not answer', async () => {
      await start(seedFacts());
      await host.pass();
      host.charon.establish(TO_CONTROLLER_1, 'udp_kube-dns_egress');
      host.charon.establish(TO_CONTROLLER_1, 'udp_kube-dns_ingress');
      await host.pass();
      host.charon.restart();
      host.charon.loadPlatform();
      host.charon.refuse('initiate', 'no answer', { times: 6 });
      await host.failingPass();
      host.done();

      const initiated = (): string[] => host.done().filter((line) => line.startsWith('initiate'));
      const both = ['udp_kube-dns_egress', 'udp_kube-dns_ingress'].map(
        (child) => `initiate ${TO_CONTROLLER_1} ${child}`,
      );
      expect(await host.pass()).to.equal(2000);
      expect(initiated()).to.deep.equal(both);
      expect(await host.pass()).to.equal(2000);
      expect(initiated()).to.deep.equal([]);
      await host.clock.advance(2000);
      expect(await host.pass()).to.equal(4000);
      expect(initiated()).to.deep.equal(both);
      expect(host.report().peersNotReached).to.deep.equal([CONTROLLER_1]);
      await host.clock.advance(4000);
      await host.pass();
      expect(initiated()).to.deep.equal(both);
      await host.clock.advance(8000);
      expect(await host.pass()).to.equal(VERIFY_MS);
      expect(initiated()).to.deep.equal(both);
      expect(host.charon.sas[0]!.childSas).to.have.length(2);
      expect(host.report()).to.deep.include({ peersNotReached: [], problems: [] });
      await host.clock.advance(60_000);
      await host.pass();
      expect(initiated()).to.deep.equal([]);
    });

    it('brings them back without facts too, for what the file says, when charon has loaded it', async () => {
      await start(seedFacts());
      await host.pass();
      host.charon.establish(TO_CONTROLLER_1, 'udp_kube-dns_egress');
      host.restartAgent();
      host.known = undefined;
      await host.pass();
      const files = [...host.charon.connections];
      host.charon.restart();
      await host.failingPass();
      host.done();
      expect(await host.pass(), 'to look again at a charon that has loaded nothing yet').to.be.within(
        1,
        1000,
      );
      expect(host.done()).to.deep.equal([]);
      for (const [name, tree] of files) host.charon.connections.set(name, tree);
      host.charon.refuse('initiate', 'no answer', { times: 1 });
      expect(await host.pass()).to.equal(2000);
      expect(host.done()).to.deep.equal([`initiate ${TO_CONTROLLER_1} udp_kube-dns_egress`]);
      await host.clock.advance(2000);
      await host.pass();
      expect(host.done()).to.deep.equal([`initiate ${TO_CONTROLLER_1} udp_kube-dns_egress`]);
      await host.clock.advance(VERIFY_MS);
      expect(await host.pass()).to.equal(VERIFY_MS);
      expect(host.done()).to.deep.equal([]);
    });

    it('does not bring back what is not wanted any more', async () => {
      await start(ONE_FOR_EACH_PEER);
      await host.pass();
      host.charon.establish(TO_WORKER_0, 'tcp_b_egress');
      await host.pass();
      host.charon.restart();
      host.charon.loadPlatform();
      await host.failingPass();
      host.known = { facts: facts({ shards: [ONE_FOR_EACH_PEER.shards[0]!] }), problems: [] };
      host.done();
      expect(await host.pass()).to.equal(VERIFY_MS);
      expect(host.done()).to.deep.equal(['write-file', `load-conn ${TO_CONTROLLER_1}`]);
      expect(host.report().loaded.map(({ name }) => name)).to.deep.equal(['ns.a.0']);
    });
  });

  it('leaves what is not ready on this host to its own', async () => {
    await start(
      facts({
        shards: [
          shard({
            of: 'ns/a',
            stages: 'tcp/1',
            endpoints: [endpoint('172.16.43.9', WORKER_0, 'tcp/1', 'pending')],
          }),
        ],
      }),
    );
    await host.pass();
    expect(host.done()).to.deep.equal([]);
    expect(host.report().loaded.map(({ name }) => name)).to.deep.equal(['ns.a.0']);
  });
});
