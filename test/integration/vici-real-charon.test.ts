// The client against a real charon, and the fake charon against the real one: what they list must be the same.
import { expect } from 'chai';
import type { Tree } from '../../app/swanctl/tree.ts';
import { connectCharon } from '../../app/vici/charon.ts';
import type { Charon } from '../../app/vici/charon.ts';
import { ViciClosedError, ViciCommandError } from '../../app/vici/errors.ts';
import { encodeMessage } from '../../app/vici/message.ts';
import { openSession } from '../../app/vici/session.ts';
import { startFakeCharon } from '../support/fake-charon.ts';
import type { FakeCharon } from '../support/fake-charon.ts';
import { nativeCharonMissing, startNativeCharon } from '../support/native-charon.ts';
import type { NativeCharon } from '../support/native-charon.ts';

const TIMEOUT_MS = 20_000;

/** The connection of controller-0 to controller-1 in StarlingX's own documentation of the feature. */
const PEER: Tree = {
  version: '2',
  local_addrs: ['192.168.206.2'],
  remote_addrs: ['192.168.206.3'],
  proposals: ['aes128-sha256-prfaesxcbc-modp3072'],
  reauth_time: '14400s',
  rekey_time: '3600s',
  mobike: 'yes',
  dpd_delay: '10s',
  unique: 'never',
  local: { auth: 'pubkey', id: 'CN=ipsec-controller-0' },
  remote: { auth: 'pubkey', id: 'CN=ipsec-controller-1' },
  children: {
    'udp_kube-dns_egress': child('172.16.192.64/26[udp]', '172.16.166.178/32[udp/53]', 'trap'),
    'udp_kube-dns_ingress': child('172.16.192.115/32[udp/53]', '172.16.166.128/26[udp]', 'trap'),
    'tcp_kube-dns_egress': child('172.16.192.64/26[tcp]', '172.16.166.178/32[tcp/9153]', 'none'),
    tcp_web_egress: child('fd00::40/122[tcp]', 'fd00::b2/128[tcp/443]', 'trap'),
  },
};

const LOCAL: Tree = {
  children: {
    borrowed: {
      mode: 'pass',
      local_ts: ['172.16.192.115/32[udp/53]'],
      remote_ts: ['172.16.166.130/32[udp]'],
      priority: '99000',
      start_action: 'trap',
    },
    dropped: {
      mode: 'drop',
      local_ts: ['10.0.0.1/32[sctp/80]', '10.0.0.2/32'],
      remote_ts: ['10.0.0.0/8'],
      start_action: 'trap',
    },
  },
};

function child(local: string, remote: string, startAction: string): Tree {
  return {
    mode: 'tunnel',
    local_ts: [local],
    remote_ts: [remote],
    esp_proposals: ['aes128gcm16'],
    rekey_time: '3600s',
    priority: '100000',
    start_action: startAction,
  };
}

describe('a real charon', () => {
  let native: NativeCharon;
  let fake: FakeCharon;
  let real: Charon;
  let pretended: Charon;

  before(async function () {
    const missing = nativeCharonMissing();
    if (missing !== undefined) {
      console.error(`skipped: ${missing}`);
      this.skip();
    }
    [native, fake] = await Promise.all([startNativeCharon(), startFakeCharon()]);
  });
  after(async () => {
    await fake.stop();
    await native.stop();
  });
  beforeEach(async () => {
    real = await connectCharon({ path: native.path, timeoutMs: TIMEOUT_MS });
    pretended = await connectCharon({ path: fake.path, timeoutMs: TIMEOUT_MS });
    for (const charon of [real, pretended])
      await Promise.all((await charon.connectionNames()).map((name) => charon.unloadConnection(name)));
  });
  afterEach(() => {
    real.close();
    pretended.close();
  });

  it('loads, lists and unloads; the fake charon lists the same', async () => {
    const listings = [];
    for (const charon of [real, pretended]) {
      await Promise.all([
        charon.loadConnection('k8s-node-controller-1', PEER),
        charon.loadConnection('local', LOCAL),
      ]);
      const names = await charon.connectionNames();
      const connections = await charon.listConnections();
      const one = await charon.listConnections({ ike: 'local' });
      const traps = await charon.listPolicies({ trap: true });
      const shunts = await charon.listPolicies({ pass: true, drop: true });
      const drops = await charon.listPolicies({ drop: true });
      await charon.unloadConnection('local');
      const left = [await charon.connectionNames(), await charon.listPolicies({ pass: true, drop: true })];
      listings.push({
        names,
        connections,
        one,
        traps: traps.sort(byKey),
        shunts: shunts.sort(byKey),
        drops,
        left,
      });
    }
    expect(listings[1]).to.deep.equal(listings[0]);
    expect(listings[0]?.names).to.have.members(['k8s-node-controller-1', 'local']);
    expect(listings[0]?.connections[0]).to.have.nested.property(
      'k8s-node-controller-1.children.udp_kube-dns_egress.remote-ts[0]',
      '172.16.166.178/32[udp/domain]',
    );
    expect(listings[0]?.traps.flatMap((tree) => Object.keys(tree))).to.deep.equal([
      'k8s-node-controller-1/tcp_web_egress',
      'k8s-node-controller-1/udp_kube-dns_egress',
      'k8s-node-controller-1/udp_kube-dns_ingress',
    ]);
  });

  it('refuses in the words that the fake charon uses', async () => {
    const words = [];
    for (const charon of [real, pretended]) {
      await charon.loadConnection('peer', PEER);
      words.push(
        await Promise.all([
          refusal(charon.unloadConnection('nobody')),
          refusal(charon.loadConnection('bad', { children: { a: { local_ts: ['rubbish'] } } })),
          refusal(charon.loadConnection('bad', { children: { a: { local_ts: '10.0.0.0/8' } } })),
          refusal(charon.loadConnection('bad', { local_addrs: '192.168.206.2' })),
          refusal(charon.loadConnection('bad', { version: ['2'] })),
          refusal(charon.initiate({ ike: 'peer', child: 'nobody', timeoutMs: -1 })),
          refusal(charon.installTrap({ ike: 'peer', child: 'nobody' })),
          refusal(charon.installTrap({ ike: 'nobody', child: 'udp_kube-dns_egress' })),
          charon.terminate({ ike: 'peer', timeoutMs: -1 }),
          charon.rekey({ ike: 'peer', reauth: true }),
          refusal(charon.onEvent(['no-such-event'], () => undefined)),
        ]),
      );
    }
    expect(words[1]).to.deep.equal(words[0]);
  });

  it('answers 300 pipelined loads in order, with one refused among them', async () => {
    const loads = [...Array(300).keys()].map((index) =>
      real.loadConnection(`c${index}`, index === 100 ? { rubbish: 'x' } : PEER),
    );
    const results = await Promise.allSettled(loads);
    const failed = results.flatMap((result, index) => (result.status === 'rejected' ? [index] : []));
    expect(failed).to.deep.equal([100]);
    expect(await real.connectionNames()).to.have.length(299);
    expect(await real.listConnections()).to.have.length(299);
  });

  it('stays in step after failed streams', async () => {
    const session = await openSession({ path: native.path, timeoutMs: TIMEOUT_MS });
    const results = await Promise.allSettled([
      session.stream('no-such-command', 'list-conn', {}),
      session.stream('list-conns', 'no-such-event', {}),
      session.request('version', {}),
      session.stream('list-conns', 'list-conn', {}),
    ]);
    expect(results.map(({ status }) => status)).to.deep.equal([
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(await session.request('version', {})).to.have.property('daemon', 'charon');
    session.close();
  });

  it('knows all the events that an agent listens to', async () => {
    await real.onEvent(
      ['ike-updown', 'child-updown', 'ike-rekey', 'child-rekey', 'ike-update'],
      () => undefined,
    );
  });

  it('says that an unreachable peer was not reached, after the time that was given', async () => {
    await real.loadConnection('peer', PEER);
    const initiate = real.initiate({ ike: 'peer', child: 'udp_kube-dns_egress', timeoutMs: 200 });
    expect(await refusal(initiate)).to.match(/not established after 200ms/);
    const [sa] = await real.listSas({ ike: 'peer' });
    expect(sa).to.have.nested.property('peer.state', 'CONNECTING');
    const id = Number((sa?.['peer'] as Tree)['uniqueid']);
    expect(await real.terminate({ ikeId: id, force: true, timeoutMs: 2000 })).to.deep.equal({
      terminated: 1,
      matches: 1,
    });
    expect(await real.listSas()).to.deep.equal([]);
  });

  it('takes a connection of 400 KB, and lists it', async () => {
    const children = Object.fromEntries(
      [...Array(2250).keys()].map((index) => [
        `c${index}`,
        child(`10.0.${index >> 8}.${index & 255}/32[tcp]`, '10.9.0.0/16[tcp/9153]', 'none'),
      ]),
    );
    await real.loadConnection('large', { ...PEER, children });
    const bytes = encodeMessage({ large: { ...PEER, children } }).length;
    expect(bytes).to.be.within(380_000, 400_000);
    expect(await real.listConnections()).to.have.length(1);
  });

  it('when it dies, everything unanswered rejects and closed says why', async () => {
    await real.loadConnection('peer', PEER);
    const pending = refusal(real.initiate({ ike: 'peer', child: 'udp_kube-dns_egress', timeoutMs: 10_000 }));
    await pretended.version();
    native.process.signal('SIGKILL');
    expect(await real.closed).to.be.instanceOf(ViciClosedError);
    expect(await pending).to.match(/^initiate was not answered/);
  });
});

function byKey(a: Tree, b: Tree): number {
  return (Object.keys(a)[0] ?? '') < (Object.keys(b)[0] ?? '') ? -1 : 1;
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ViciCommandError || error instanceof ViciClosedError) return error.message;
    throw error;
  }
  throw new Error('expected a refusal');
}
