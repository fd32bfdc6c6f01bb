// The typed commands: what each sends, what it makes of the answer, and which names it lets through.
import { mock } from 'node:test';
import { expect } from 'chai';
import type { Tree } from '../../app/swanctl/tree.ts';
import { connectCharon } from '../../app/vici/charon.ts';
import type { Charon } from '../../app/vici/charon.ts';
import { ViciClosedError, ViciCommandError, ViciProtocolError } from '../../app/vici/errors.ts';
import { startFakeCharon } from '../support/fake-charon.ts';
import type { FakeCharon } from '../support/fake-charon.ts';

const PEER: Tree = {
  version: '2',
  local_addrs: ['192.168.206.2'],
  remote_addrs: ['192.168.206.3'],
  children: {
    'udp_kube-dns_egress': {
      local_ts: ['172.16.192.64/26[udp]'],
      remote_ts: ['172.16.166.178/32[udp/53]'],
      start_action: 'trap',
    },
    'tcp_kube-dns_egress': {
      local_ts: ['172.16.192.64/26[tcp]'],
      remote_ts: ['172.16.166.178/32[tcp/9153]'],
      start_action: 'none',
    },
  },
};

describe('charon commands', () => {
  let fake: FakeCharon;
  let charon: Charon;
  beforeEach(async () => {
    fake = await startFakeCharon();
    charon = await connectCharon({ path: fake.path, timeoutMs: 60_000 });
  });
  afterEach(async () => {
    charon.close();
    await fake.stop();
  });
  const sent = (): unknown[] => fake.commands.map(({ command, message }) => [command, message]);
  const loadPeer = (): Promise<void> => charon.loadConnection('peer', PEER);

  it('version', async () => {
    expect(await charon.version()).to.deep.equal({
      daemon: 'charon',
      version: '5.9.8',
      sysname: 'Linux',
      release: '6.1.0',
    });
  });

  it('load, list and unload connections', async () => {
    await loadPeer();
    expect(sent()).to.deep.equal([['load-conn', { peer: PEER }]]);
    expect(await charon.connectionNames()).to.deep.equal(['peer']);
    const [listed] = await charon.listConnections();
    expect(listed)
      .to.have.nested.property('peer.children.udp_kube-dns_egress.remote-ts[0]')
      .that.equals('172.16.166.178/32[udp/domain]');
    expect(await charon.listConnections({ ike: 'other' })).to.deep.equal([]);
    await charon.unloadConnection('peer');
    expect(await charon.connectionNames()).to.deep.equal([]);
  });

  it('lists only the kinds of policies that are asked for', async () => {
    await loadPeer();
    await charon.loadConnection('local', { children: { p: { mode: 'pass', start_action: 'trap' } } });
    const keys = async (kinds: object): Promise<string[]> =>
      (await charon.listPolicies(kinds)).flatMap((tree) => Object.keys(tree));
    expect(await keys({ trap: true })).to.deep.equal(['peer/udp_kube-dns_egress']);
    expect(await keys({ pass: true, drop: true })).to.deep.equal(['local/p']);
    expect(await keys({ trap: false, pass: true })).to.deep.equal(['local/p']);
    expect(fake.commands.at(-1)?.message).to.deep.equal({ pass: 'yes' });
  });

  it('installs a trap that was taken away, whether it is there or not', async () => {
    await loadPeer();
    fake.uninstall('peer', 'udp_kube-dns_egress');
    expect(await charon.listPolicies({ trap: true })).to.deep.equal([]);
    for (let time = 0; time < 2; time++) {
      await charon.installTrap({ ike: 'peer', child: 'udp_kube-dns_egress' });
      expect(fake.commands.at(-1)).to.deep.equal({
        command: 'install',
        message: { child: 'udp_kube-dns_egress', ike: 'peer' },
      });
      expect((await charon.listPolicies({ trap: true })).flatMap((tree) => Object.keys(tree))).to.deep.equal([
        'peer/udp_kube-dns_egress',
      ]);
    }
  });

  it('initiate, list-sas, rekey, terminate', async () => {
    await loadPeer();
    const events: string[] = [];
    await charon.onEvent(['ike-updown', 'child-updown'], (name, message) =>
      events.push(`${name} ${Object.keys(message).join()}`),
    );
    await charon.initiate({ ike: 'peer', child: 'udp_kube-dns_egress', timeoutMs: -1 });
    expect(fake.commands.at(-1)?.message).to.deep.equal({
      ike: 'peer',
      child: 'udp_kube-dns_egress',
      timeout: '-1',
    });
    const [sa] = await charon.listSas({ ike: 'peer', noblock: true });
    expect(sa).to.have.nested.property('peer.child-sas.udp_kube-dns_egress-2.state', 'INSTALLED');
    expect(fake.commands.at(-1)?.message).to.deep.equal({ ike: 'peer', noblock: 'yes' });
    expect(await charon.rekey({ ikeId: 1, reauth: true })).to.deep.equal({ matches: 1 });
    expect(fake.commands.at(-1)?.message).to.deep.equal({ 'ike-id': '1', reauth: 'yes' });
    expect(await charon.terminate({ childId: 2, timeoutMs: -1 })).to.deep.equal({
      terminated: 1,
      matches: 1,
    });
    expect(await charon.terminate({ ike: 'peer', force: true, timeoutMs: 2000 })).to.deep.equal({
      terminated: 1,
      matches: 1,
    });
    expect(fake.commands.at(-1)?.message).to.deep.equal({ ike: 'peer', timeout: '2000', force: 'yes' });
    expect(await charon.listSas()).to.deep.equal([]);
    expect(events).to.deep.equal([
      'ike-updown up,peer',
      'child-updown up,peer',
      'child-updown peer',
      'ike-updown peer',
    ]);
  });

  for (const command of ['initiate', 'terminate'] as const)
    it(`${command} is given the time that charon may wait, and the usual time on top`, async () => {
      mock.timers.enable({ apis: ['setTimeout'] });
      try {
        const release = fake.hold(command);
        const call = charon[command]({ ike: 'a', child: 'a', timeoutMs: 90_000 });
        const settled = call.then(
          () => 'done',
          (error: unknown) => error,
        );
        await fake.arrived(command);
        mock.timers.tick(149_000);
        await new Promise(setImmediate);
        release();
        expect(await settled).not.to.be.instanceOf(ViciClosedError);
      } finally {
        mock.timers.reset();
      }
    });

  it('finding nothing to terminate or rekey is an answer', async () => {
    expect(await charon.terminate({ ike: 'peer', timeoutMs: -1 })).to.deep.equal({
      terminated: 0,
      matches: 0,
    });
    expect(await charon.rekey({ ike: 'peer' })).to.deep.equal({ matches: 0 });
  });

  it('what charon refuses otherwise is a ViciCommandError with its words', async () => {
    fake.refuse('terminate', 'missing terminate selector');
    fake.refuse('initiate', "establishing CHILD_SA 'a' failed");
    fake.refuse('list-sas', 'no');
    const cases: [Promise<unknown>, string, string, string][] = [
      [charon.unloadConnection('nope'), 'unload-conn', "unload: connection 'nope' not found", 'on-change'],
      [
        charon.loadConnection('a', { children: { b: { local_ts: ['rubbish'] } } }),
        'load-conn',
        'invalid value for: local_ts, config discarded',
        'on-change',
      ],
      [
        charon.initiate({ ike: 'a', child: 'a', timeoutMs: 50 }),
        'initiate',
        "establishing CHILD_SA 'a' failed",
        'soon',
      ],
      [charon.installTrap({ ike: 'a', child: 'a' }), 'install', 'configuration name not found', 'soon'],
      [charon.terminate({ ike: 'a', timeoutMs: -1 }), 'terminate', 'missing terminate selector', 'soon'],
      [charon.listSas(), 'list-sas', 'no', 'soon'],
    ];
    for (const [promise, command, errmsg, retry] of cases)
      expect(await rejected(promise))
        .to.be.instanceOf(ViciCommandError)
        .and.to.include({ command, errmsg, retry });
  });

  it('a command that charon does not know is refused for good', async () => {
    fake.unknown.add('rekey');
    expect(await rejected(charon.rekey({ ike: 'a' })))
      .to.be.instanceOf(ViciCommandError)
      .and.to.include({ command: 'rekey', retry: 'never' });
  });

  it('1,000 loads are under way at once; one refused does not touch the others', async () => {
    fake.refuse('load-conn', 'bad', { when: (message) => 'c7' in message });
    const release = fake.hold('load-conn');
    const loads = [...Array(1000).keys()].map((index) => charon.loadConnection(`c${index}`, PEER));
    const results = Promise.allSettled(loads);
    await fake.arrived('load-conn');
    release();
    const failed = (await results).flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
    expect(failed).to.deep.equal([7]);
    expect(fake.connections.size).to.equal(999);
  });

  describe('a bad name is a bug: an Error that is none of ours, and nothing is sent', () => {
    const long = 'n'.repeat(256);
    for (const name of ['', 'host.example', 'a b', 'a/b', 'a"b', 'a\n', 'é', '__proto__{', long])
      it(JSON.stringify(name.slice(0, 20)), async () => {
        for (const call of [
          () => charon.loadConnection(name, {}),
          () => charon.loadConnection('a', { children: { [name]: {} } }),
          () => charon.unloadConnection(name),
          () => charon.initiate({ ike: name, child: 'a', timeoutMs: -1 }),
          () => charon.initiate({ ike: 'a', child: name, timeoutMs: -1 }),
          () => charon.installTrap({ ike: 'a', child: name }),
          () => charon.terminate({ ike: name, timeoutMs: -1 }),
          () => charon.terminate({ ike: 'a', child: name, timeoutMs: -1 }),
          () => charon.rekey({ ike: name }),
        ]) {
          const error = await rejected(call());
          expect(error.name).to.equal('Error');
          expect(error.message).to.match(/bad connection or child name/);
        }
        expect(sent()).to.deep.equal([]);
      });
  });

  it('a wait without end, an id that is none and no selector are bugs, too', async () => {
    for (const call of [
      () => charon.initiate({ ike: 'a', child: 'a', timeoutMs: 0 }),
      () => charon.terminate({ ike: 'a', timeoutMs: 0 }),
      () => charon.terminate({ ike: 'a', timeoutMs: 1.5 }),
      () => charon.terminate({ ikeId: 0, timeoutMs: -1 }),
      () => charon.terminate({ childId: NaN, timeoutMs: -1 }),
      () => charon.terminate({ timeoutMs: -1 }),
      () => charon.rekey({}),
    ])
      expect((await rejected(call())).name).to.equal('Error');
    expect(sent()).to.deep.equal([]);
  });

  it('a value too long is refused before it is sent', async () => {
    const error = await rejected(charon.loadConnection('a', { id: 'x'.repeat(65_536) }));
    expect(error).to.be.instanceOf(ViciProtocolError).with.property('retry', 'on-change');
    expect(sent()).to.deep.equal([]);
  });

  it('after a restart of charon one has to connect again', async () => {
    await loadPeer();
    fake.restart();
    expect(await charon.closed).to.be.instanceOf(ViciClosedError);
    expect(await rejected(charon.version())).to.be.instanceOf(ViciClosedError);
    const again = await connectCharon({ path: fake.path, timeoutMs: 60_000 });
    expect(await again.connectionNames()).to.deep.equal([]);
    again.close();
    expect(await again.closed).to.equal(undefined);
  });
});

async function rejected(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('expected a rejection');
}
