// What two sessions load at the same time: charon looks protocols up by name in one buffer for all its threads, so that one
// session's `[udp]` can become the other's tcp. Ours go without names: what we load must be right whoever else loads.
import { expect } from 'chai';
import type { ConnectionName } from '../../app/domain/host-config.ts';
import { connectionTree } from '../../app/swanctl/host-config-tree.ts';
import type { Tree } from '../../app/swanctl/tree.ts';
import { connectCharon, type Charon } from '../../app/vici/charon.ts';
import { child, peer } from '../support/host-configs.ts';
import { nativeCharonMissing, startNativeCharon, type NativeCharon } from '../support/native-charon.ts';

const ROUNDS = 400;

/** As the platform's pass policies: many selectors of tcp, by name. */
const THEIRS: Tree = {
  children: Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [
      `bypass-${index}`,
      { mode: 'pass', local_ts: ['0.0.0.0/0'], remote_ts: [`10.0.0.${index}/32[tcp/${22 + index}]`] },
    ]),
  ),
};

describe('protocols of what two sessions load at the same time', function () {
  this.timeout(120_000);
  const missing = nativeCharonMissing();
  let native: NativeCharon;
  let us: Charon;
  let them: Charon;

  before(async function () {
    if (missing !== undefined) return this.skip();
    native = await startNativeCharon();
    [us, them] = await Promise.all([
      connectCharon({ path: native.path, timeoutMs: 20_000 }),
      connectCharon({ path: native.path, timeoutMs: 20_000 }),
    ]);
  });
  after(async () => {
    if (missing !== undefined) return;
    us.close();
    them.close();
    await native.stop();
  });

  it(`are never another's in ours: ${ROUNDS} loads`, async () => {
    const name = 'k8s-node-controller-1' as ConnectionName;
    const children = Array.from({ length: 5 }, (_, index) =>
      child(`udp_dns_egress-${index}`, '172.16.192.64/26[udp]', `172.16.166.${128 + index}/32[udp/5353]`),
    );
    const ours = connectionTree(peer('controller-1', children));
    const printed = new Set<string>();
    const over = new AbortController();
    const other = (async (): Promise<void> => {
      while (!over.signal.aborted) await them.loadConnection('services-bypass', THEIRS);
    })();
    for (let round = 0; round < ROUNDS; round++) {
      await us.loadConnection(name, ours);
      const listing = JSON.stringify(await us.listConnections({ ike: name }));
      for (const [, protocol = ''] of listing.matchAll(/\[(\w+)[/\]]/g)) printed.add(protocol);
    }
    over.abort();
    await other;
    expect([...printed]).to.deep.equal(['udp']);
  });
});
