// What happens to protected flows when something of ours, of the platform's or of the cluster ends, starts again, or takes our
// configuration away. One lab with ECDSA certificates; a service in use all the time; figures are printed as measured.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { until } from '../support/until.ts';
import { CLIENTS, openScene, platformOf, poll, type Scene } from './lab/scene.ts';
import { STILL, watchStillness } from './lab/stillness.ts';
import { HOST_NAMES, type LabHost } from './lab/topology.ts';
import type { Talk, TalkResult } from './lab/traffic.ts';

const SERVERS: Readonly<Record<'controller-0' | 'controller-1', string>> = {
  'controller-0': '172.16.192.126',
  'controller-1': '172.16.166.190',
};
const PORT = 5007;
const INTERVAL_MS = 20;
const POLICY = 'base';
const FILE = '/etc/swanctl/conf.d/k8s-nodes.conf';

/** What replaced an SA while the tunnels came up has it taken from the kernel so much later (charon: delete_rekeyed_delay, 5 s). */
const REPLACED_MS = 6000;

describe('lifecycle', () => {
  let scene: Scene;
  let platformBefore: Awaited<ReturnType<typeof platformOf>>;

  before(async function () {
    this.timeout(180_000);
    scene = await openScene({ keys: 'ecdsa', agent: {} });
    platformBefore = await platformOf(scene.lab);
  });
  after(async () => scene.close());

  const ask = (client: LabHost, server: keyof typeof SERVERS, port = PORT): Talk => ({
    ...CLIENTS[client],
    protocol: 'udp',
    address: SERVERS[server],
    port,
    intervalMs: INTERVAL_MS,
  });
  const ALL = [
    ask('controller-0', 'controller-1'),
    ask('controller-1', 'controller-0'),
    ask('worker-0', 'controller-0'),
    ask('worker-0', 'controller-1'),
  ];

  it('an agent restarted, killed or stopped: nothing happens to any SA, nothing is written, nothing lost', async () => {
    const { lab, op } = scene;
    await pause(REPLACED_MS);
    const spis = await scene.spisOf(/./);
    const watch = await watchStillness(lab);
    const during = await whileTalking(ALL, 8000, async () => {
      await Promise.all([op.killAgent('controller-0', 'SIGKILL'), op.killAgent('controller-1', 'SIGTERM')]);
      for (const host of ['controller-0', 'controller-1'] as const) {
        op.startAgent(host);
        await untilApplied(host);
      }
    });
    report('two agents restarted', during);
    const changes = await watch.stop();
    expect(changes).to.deep.include({ ...STILL, platformKernel: [] });
    expect(changes.loads, 'each agent makes sure once of each connection').to.have.length(4);
    expect(during).to.deep.include({ lost: [0, 0, 0, 0], plaintext: 0 });
    expect(await scene.spisOf(/./)).to.deep.equal(spis);
  });

  it('the manager killed and started again: nothing is written, nothing happens on any host', async () => {
    const { lab, op } = scene;
    const spis = await scene.spisOf(/./);
    const watch = await watchStillness(lab);
    await op.killManager('SIGKILL');
    op.startManager();
    await until('the new manager leads', () => timesLeading() === 2, 20_000);
    await pause(3000);
    expect(await watch.stop()).to.deep.equal({ ...STILL, platformKernel: [], loads: [] });
    expect(await scene.spisOf(/./)).to.deep.equal(spis);
  });

  it('a host certificate renewed (ECDSA): nothing of ours changes', async () => {
    const { lab } = scene;
    const spis = await scene.spisOf(/./);
    const watch = await watchStillness(lab);
    for (const host of HOST_NAMES) await lab.renewCertificate(host);
    expect(await watch.stop()).to.deep.include(STILL);
    expect(await scene.spisOf(/./)).to.deep.equal(spis);
  });

  it('our connections unloaded by a platform --load-conns without our file: back, and children added later work at once', async () => {
    const { lab, op } = scene;
    const children = await op.childrenOn('controller-0');
    let backMs = 0;
    const during = await whileTalking(ALL, 15_000, async () => {
      await lab.run('controller-0', ['mv', FILE, '/run/k8s-nodes.conf']);
      await lab.swanctl('controller-0', '--load-conns');
      const startedMs = performance.now();
      expect(await op.childrenOn('controller-0'), 'unloaded').to.deep.equal([]);
      await poll(
        'our connections are back',
        () => op.childrenOn('controller-0'),
        (now) => now.length === children.length,
        20_000,
      );
      backMs = performance.now() - startedMs;
    });
    report(`unloaded by --load-conns, back after ${(backMs / 1000).toFixed(1)} s`, during);
    expect(await lab.readFile('controller-0', FILE)).to.match(/udp_base_egress/);

    await op.applyPolicy('later', [row('later', 'udp/5008')]);
    await addServer('later', 5008);
    await op.untilProgrammed('later');
    await expectAtOnce([ask('controller-0', 'controller-1', 5008), ask('worker-0', 'controller-0', 5008)]);
    await expectAtOnce([ask('controller-1', 'controller-0', 5008)]);
  });

  it('charon ended by SIGTERM and started again: flows come back by themselves', () =>
    restart('controller-0', 'SIGTERM'));

  it('the API server away for 20 s, an agent and charon restarted meanwhile: all stays in force and comes back', async () => {
    const { lab, op } = scene;
    const spis = await scene.spisOf(/./);
    const watch = await watchStillness(lab);
    await lab.cluster.stopApiServer();
    const stoppedMs = performance.now();
    try {
      await withoutApi(spis);
      await pause(stoppedMs + 20_000 - performance.now());
    } finally {
      await lab.cluster.restartApiServer();
    }
    await untilApplied('controller-0');
    await op.untilProgrammed(POLICY);
    const changes = await watch.stop();
    expect(changes.files).to.deep.equal([]);
    expect(
      changes.objects.filter((name) => !name.startsWith('IPsecHostReport')),
      'written',
    ).to.deep.equal([]);
  });

  async function withoutApi(spis: readonly string[]): Promise<void> {
    const { lab, op } = scene;
    await op.killAgent('controller-0');
    op.startAgent('controller-0');
    const agent = await whileTalking(ALL, 5000, async () => {
      await until('the agent waits for the API', () => said('controller-0', 'trying again'), 10_000);
    });
    expect(agent, 'with an agent that knows nothing').to.deep.include({ lost: [0, 0, 0, 0], plaintext: 0 });
    expect(await scene.spisOf(/./)).to.deep.equal(spis);

    const charon = await whileTalking(ALL, 10_000, () => lab.restartCharon('controller-0', 'SIGKILL'));
    report('charon restarted without API and with an agent that knows nothing', charon);
    expect(charon).to.include({ plaintext: 0 });
    expect(said('controller-0', 'applied'), 'a step of a plan without facts').to.equal(false);
  }

  // Last, because what peers and kernel still have of a killed charon lives on for a minute, and an hour.
  it('charon ended by SIGKILL and started again: flows come back by themselves, nothing in plaintext', async () => {
    expect(await restart('worker-0', 'SIGKILL')).to.include({ plaintext: 0 });
  });

  async function restart(host: LabHost, signal: 'SIGTERM' | 'SIGKILL'): Promise<During> {
    const { lab, op } = scene;
    const before = await stateOf(host);
    const during = await whileTalking(ALL, 8000, () => lab.restartCharon(host, signal));
    report(`charon of ${host} ended by ${signal}`, during);
    await op.untilProgrammed(POLICY);
    expect(await stateOf(host)).to.deep.equal(before);
    return during;
  }

  it("the platform's connections are as they were, whatever was restarted", async () => {
    expect(connectionsOf(await platformOf(scene.lab))).to.deep.equal(connectionsOf(platformBefore));
  });

  /** All talk for so long while something happens; what happens must be over before. */
  async function whileTalking(
    talks: readonly Talk[],
    durationMs: number,
    happen: () => Promise<void>,
  ): Promise<During> {
    const { lab } = scene;
    const capture = await lab.capture();
    const count = durationMs / INTERVAL_MS;
    const running = await Promise.all(talks.map((talk) => lab.startTalk({ ...talk, count })));
    await happen();
    const happenedMs = performance.now();
    const results = await Promise.all(running.map(({ result }) => result));
    const isBack = results.every(({ sent, lost }) => !lost.includes(sent - 1));
    if (!isBack) await untilAnswered(talks);
    const backSeconds = isBack ? 0 : (performance.now() - happenedMs) / 1000;
    const wire = await capture.stop();
    return {
      lost: results.map(({ lost }) => lost.length),
      gapSeconds: results.map(gapSeconds),
      plaintext: wire.plaintext.length,
      backSeconds,
    };
  }

  async function untilAnswered(talks: readonly Talk[]): Promise<void> {
    await poll(
      'all talks are answered again',
      () => Promise.all(talks.map((talk) => scene.lab.talk({ ...talk, lingerMs: 500 }))),
      (again) => again.every(({ lost }) => lost.length === 0),
    );
  }

  function gapSeconds({ lost }: TalkResult): number {
    const [first, last] = [lost[0], lost.at(-1)];
    return first === undefined || last === undefined ? 0 : ((last - first + 1) * INTERVAL_MS) / 1000;
  }

  /** The first packet of a new flow may go into its negotiation; those after a second are all answered, in ESP. */
  async function expectAtOnce(talks: readonly Talk[]): Promise<void> {
    const during = await whileTalking(talks, 4000, () => Promise.resolve());
    report('a child added later, first packets', during);
    expect(during).to.include({ plaintext: 0 });
    for (const gap of during.gapSeconds) expect(gap).to.be.below(2);
  }

  async function addServer(app: string, port: number): Promise<void> {
    const { lab } = scene;
    await lab.addService({ name: app, selector: { app: POLICY }, ports: [{ port, protocol: 'UDP' }] });
    for (const [host, address] of Object.entries(SERVERS))
      await lab.serveEcho(`default/base-${host}`, 'udp', address, port);
  }

  async function stateOf(host: LabHost): Promise<{ conf: string; children: readonly string[] }> {
    return { conf: await scene.lab.readFile(host, FILE), children: await scene.op.childrenOn(host) };
  }

  /** Without its SAs, which end with its charon. */
  function connectionsOf(platform: typeof platformBefore): string[][] {
    return HOST_NAMES.map((host) => platform[host].filter((text) => !text.startsWith('system-nodes #')));
  }

  function said(host: LabHost, msg: string): boolean {
    return scene.op.agentLog(host).some((line) => line['msg'] === msg);
  }

  /** A new agent loads everything once, to be sure. */
  async function untilApplied(host: LabHost): Promise<void> {
    await until(`the agent of ${host} has made its first pass`, () => said(host, 'applied'), 90_000);
  }

  function timesLeading(): number {
    return readFileSync(join(scene.lab.dir, 'manager.log'), 'utf8').split('"msg":"leading"').length - 1;
  }
});

interface During {
  /** By talk, in messages. */
  readonly lost: readonly number[];
  /** By talk: from the first to the last message without an answer. */
  readonly gapSeconds: readonly number[];
  readonly plaintext: number;
  /** When it took longer than the talks: from the end of what happened until all were answered again, at most. */
  readonly backSeconds: number;
}

function row(
  name: string,
  serviceports: string,
): { name: string; servicename: string; servicens: string; serviceports: string } {
  return { name, servicename: name, servicens: 'default', serviceports };
}

function report(what: string, { lost, gapSeconds, plaintext, backSeconds }: During): void {
  const flows = lost.map((count, index) => `${count} (${gapSeconds[index] ?? 0} s)`).join(', ');
  const late = backSeconds === 0 ? '' : `, all back after ${backSeconds.toFixed(1)} s`;
  console.log(`      ${what}: lost ${flows}${late}; in plaintext ${plaintext}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
