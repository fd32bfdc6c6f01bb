import { expect } from 'chai';
import { applySteps, type Refusal } from '../../../app/agent/apply-steps.ts';
import type { ConnectionName, HostConfig } from '../../../app/domain/host-config.ts';
import { FileError } from '../../../app/runtime/errors.ts';
import { contentText } from '../../../app/swanctl/conf-text.ts';
import type { Step } from '../../../app/swanctl/steps.ts';
import { text } from '../../../app/swanctl/tree.ts';
import { connectCharon, type Charon } from '../../../app/vici/charon.ts';
import { startFakeCharon, type FakeCharon } from '../../support/fake-charon.ts';
import { child, config, DNS_EGRESS, peer } from '../../support/host-configs.ts';

const FIRST = peer('controller-1', [DNS_EGRESS]);
const SECOND = peer('worker-0', [DNS_EGRESS]);

describe('applySteps', () => {
  let fake: FakeCharon;
  let charon: Charon;
  let sent: Map<ConnectionName, string>;
  const noFile = async (): Promise<void> => Promise.reject(new Error('no file is written here'));
  const apply = (
    steps: readonly Step[],
    writeFile: (config: HostConfig) => Promise<void> = noFile,
  ): Promise<Refusal[]> => applySteps(steps, { charon, sent, writeFile, removeFile: noFile });
  const commands = (): string[] => fake.commands.map(({ command }) => command);

  beforeEach(async () => {
    fake = await startFakeCharon();
    charon = await connectCharon({ path: fake.path, timeoutMs: 60_000 });
    sent = new Map();
  });

  afterEach(async () => {
    charon.close();
    await fake.stop();
  });

  it('begins nothing before the step of another kind before it has ended', async () => {
    const release = fake.hold('load-conn');
    let isWritten = false;
    const applied = apply(
      [
        { kind: 'write-file', config: config(FIRST) },
        { kind: 'load-connection', connection: FIRST },
        { kind: 'unload-connection', name: SECOND.name },
      ],
      async () => {
        expect(commands()).to.deep.equal([]);
        isWritten = true;
        return Promise.resolve();
      },
    );
    await fake.arrived('load-conn');
    expect([isWritten, commands()]).to.deep.equal([true, []]);
    release();
    await applied;
    expect(commands()).to.deep.equal(['load-conn', 'unload-conn']);
  });

  it('sends loads that follow each other without waiting for answers', async () => {
    const release = fake.hold('load-conn');
    const many = Array.from({ length: 20 }, (_, index) => peer(`worker-${index}`, [DNS_EGRESS]));
    const applied = apply(many.map((connection) => ({ kind: 'load-connection', connection })));
    await fake.arrived('load-conn');
    release();
    expect(await applied).to.deep.equal([]);
    expect(sent.size).to.equal(20);
    expect([...fake.connections.keys()]).to.deep.equal(many.map(({ name }) => name));
  });

  it('goes on after a refusal and remembers only what charon took', async () => {
    sent.set(FIRST.name, 'what it took before');
    fake.refuse('load-conn', 'no such proposal', { when: (message) => FIRST.name in message });
    const refusals = await apply([
      { kind: 'load-connection', connection: FIRST },
      { kind: 'load-connection', connection: SECOND },
    ]);
    expect(refusals).to.deep.equal([
      { kind: 'load-connection', connection: FIRST.name, message: 'load-conn: no such proposal' },
    ]);
    expect([...sent]).to.deep.equal([[SECOND.name, contentText(SECOND)]]);
  });

  it('takes a connection that is too large to be sent for refused, and goes on', async () => {
    const children = Array.from({ length: 6000 }, (_, index) =>
      child(`udp_kube-dns_egress-${index}`, '172.16.192.64/26[udp]', '172.16.166.178/32[udp/53]'),
    );
    const refusals = await apply([
      { kind: 'load-connection', connection: peer('controller-1', children) },
      { kind: 'load-connection', connection: SECOND },
    ]);
    expect(refusals.map(({ kind, connection }) => [kind, connection])).to.deep.equal([
      ['load-connection', FIRST.name],
    ]);
    expect([...sent.keys()]).to.deep.equal([SECOND.name]);
  });

  it('does nothing behind a file that cannot be written', async () => {
    const steps: Step[] = [
      { kind: 'write-file', config: config(FIRST) },
      { kind: 'load-connection', connection: FIRST },
    ];
    let error: unknown;
    await apply(steps, async () => Promise.reject(new FileError('full'))).catch((thrown: unknown) => {
      error = thrown;
    });
    expect(error).to.be.instanceOf(FileError);
    expect(commands()).to.deep.equal([]);
  });

  it('throws when the connection to charon is lost, and remembers nothing of what was not answered', async () => {
    sent.set(FIRST.name, contentText(FIRST));
    fake.hold('load-conn');
    const applied = apply([{ kind: 'load-connection', connection: FIRST }]).catch((error: unknown) => error);
    await fake.arrived('load-conn');
    fake.dropClients();
    expect(await applied).to.have.property('name', 'ViciClosedError');
    expect([...sent.keys()]).to.deep.equal([]);
  });

  it('forgets what it sent of a connection that it unloads', async () => {
    await apply([{ kind: 'load-connection', connection: FIRST }]);
    await apply([{ kind: 'unload-connection', name: FIRST.name }]);
    expect(sent.size).to.equal(0);
    expect(fake.connections.size).to.equal(0);
  });

  it('ends by unique id and initiates by name, waiting for neither', async () => {
    await apply([{ kind: 'load-connection', connection: FIRST }]);
    await apply([
      { kind: 'initiate', connection: FIRST.name, child: DNS_EGRESS.name },
      { kind: 'terminate-child', connection: FIRST.name, child: DNS_EGRESS.name, uniqueId: 7 },
      { kind: 'terminate-ike', connection: FIRST.name, uniqueId: 8 },
      { kind: 'reauthenticate', connection: FIRST.name, uniqueId: 9 },
      { kind: 'install-trap', connection: FIRST.name, child: DNS_EGRESS.name },
    ]);
    expect(fake.commands.slice(1).map(({ command, message }) => [command, message])).to.deep.equal([
      ['initiate', { ike: FIRST.name, child: DNS_EGRESS.name, timeout: '-1' }],
      ['terminate', { 'child-id': '7', timeout: '-1' }],
      ['terminate', { 'ike-id': '8', timeout: '-1' }],
      ['rekey', { 'ike-id': '9', reauth: 'yes' }],
      ['install', { child: DNS_EGRESS.name, ike: FIRST.name }],
    ]);
  });

  it('waits for initiations that stand before a load, and for no others', async () => {
    const initiate: Step = { kind: 'initiate', connection: FIRST.name, child: DNS_EGRESS.name };
    await apply([{ kind: 'load-connection', connection: FIRST }]);
    await apply([
      initiate,
      { kind: 'load-connection', connection: SECOND },
      { kind: 'terminate-ike', connection: FIRST.name, uniqueId: 8 },
      initiate,
      { kind: 'terminate-ike', connection: FIRST.name, uniqueId: 9 },
      initiate,
    ]);
    const waits = fake.commands
      .filter(({ command }) => command === 'initiate')
      .map(({ message }) => message['timeout']);
    expect(waits).to.deep.equal(['2000', '-1', '-1']);
  });

  describe('of initiations before a load', () => {
    const LOAD: Step = { kind: 'load-connection', connection: FIRST };
    const toPeer = (name: string, count: number): Step[] =>
      Array.from({ length: count }, (_, index) => {
        const { name: childName } = child(`c${index}`, '172.16.192.64/26[udp]', '172.16.166.178/32[udp/53]');
        return { kind: 'initiate', connection: peer(name, []).name, child: childName };
      });
    /** `worker-0 2000`: in the order in which charon got them. */
    const waits = (): string[] =>
      fake.commands
        .filter(({ command }) => command === 'initiate')
        .map(
          ({ message }) => `${text(message, 'ike')?.replace('k8s-node-', '')} ${text(message, 'timeout')}`,
        );

    it('waits for 16, and sends the others without waiting', async () => {
      for (let worker = 0; worker < 20; worker++)
        await apply([{ kind: 'load-connection', connection: peer(`worker-${worker}`, [DNS_EGRESS]) }]);
      const initiations = Array.from({ length: 20 }, (_, worker): Step => ({
        kind: 'initiate',
        connection: peer(`worker-${worker}`, []).name,
        child: DNS_EGRESS.name,
      }));
      expect(await apply([...initiations, LOAD])).to.deep.equal([]);
      expect(waits().map((line) => line.split(' ')[1])).to.deep.equal([
        ...Array.from({ length: 16 }, () => '2000'),
        ...Array.from({ length: 4 }, () => '-1'),
      ]);
      expect(commands().at(-1)).to.equal('load-conn');
    });

    it('waits for a silent peer once, and for nobody after three of them', async () => {
      fake.refuse('initiate', 'not established after 2000ms');
      const steps = ['a', 'b', 'c', 'd'].flatMap((name) => toPeer(name, 2));
      const refusals = await apply([...steps, LOAD]);
      expect(waits()).to.deep.equal(['a 2000', 'a -1', 'b 2000', 'b -1', 'c 2000', 'c -1', 'd -1', 'd -1']);
      expect(refusals).to.have.length(8);
      expect(commands().at(-1)).to.equal('load-conn');
    });
  });
});
