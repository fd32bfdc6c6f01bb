// How fast a real charon takes connections when nothing but this client stands before it: the bare pipelined loader
// that the agent is measured against. Prints one JSON line. `node test/bench/vici-load.ts [connections] [children]`
import { readFileSync } from 'node:fs';
import type { Tree } from '../../app/swanctl/tree.ts';
import { connectCharon } from '../../app/vici/charon.ts';
import type { Charon } from '../../app/vici/charon.ts';
import { nativeCharonMissing, startNativeCharon } from '../support/native-charon.ts';

export interface BenchConnection {
  readonly name: string;
  readonly config: Tree;
}

/** Connections to as many peers, each with so many trap children for flows of their own. */
export function benchConnections(count: number, childrenEach: number): BenchConnection[] {
  return [...Array(count).keys()].map((index) => ({
    name: `k8s-node-worker-${index}`,
    config: {
      version: '2',
      local_addrs: ['192.168.206.2'],
      remote_addrs: [`10.${100 + (index >> 8)}.${index & 255}.1`],
      proposals: ['aes128-sha256-prfaesxcbc-modp3072'],
      reauth_time: '14400s',
      rekey_time: '3600s',
      mobike: 'yes',
      dpd_delay: '10s',
      unique: 'never',
      local: { auth: 'pubkey', id: 'CN=ipsec-controller-0' },
      remote: { auth: 'pubkey', id: `CN=ipsec-worker-${index}` },
      children: Object.fromEntries(
        [...Array(childrenEach).keys()].map((port) => [
          `tcp_service-${port}_egress`,
          {
            mode: 'tunnel',
            local_ts: ['172.16.192.64/26[tcp]'],
            remote_ts: [`172.${20 + (index >> 8)}.${index & 255}.${port}/32[tcp/${8000 + port}]`],
            esp_proposals: ['aes128gcm16'],
            rekey_time: '3600s',
            priority: String(100_000 + 2 * port),
            start_action: 'trap',
          },
        ]),
      ),
    },
  }));
}

/** All at once over one socket: nothing is awaited before the next is sent. */
export async function loadPipelined(charon: Charon, connections: readonly BenchConnection[]): Promise<void> {
  await Promise.all(connections.map(({ name, config }) => charon.loadConnection(name, config)));
}

/** Seconds that it took, to the millisecond. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return Math.round(performance.now() - start) / 1000;
}

async function main(count: number, childrenEach: number): Promise<void> {
  const missing = nativeCharonMissing();
  if (missing !== undefined) throw new Error(missing);
  const native = await startNativeCharon();
  try {
    const charon = await connectCharon({ path: native.path, timeoutMs: 60_000 });
    const connections = benchConnections(count, childrenEach);
    const load = await seconds(() => loadPipelined(charon, connections));
    const again = await seconds(() => loadPipelined(charon, connections));
    let listed = 0;
    const list = await seconds(async () => (listed = (await charon.listConnections()).length));
    let traps = 0;
    const policies = await seconds(async () => (traps = (await charon.listPolicies({ trap: true })).length));
    const names = await charon.connectionNames();
    const unload = await seconds(() => Promise.all(names.map((name) => charon.unloadConnection(name))));
    const rss = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${native.process.pid}/status`, 'utf8'))?.[1];
    console.log(
      JSON.stringify({
        bench: 'vici-load',
        connections: count,
        childrenEach,
        listed,
        traps,
        seconds: { load, loadEqualAgain: again, listConnections: list, listPolicies: policies, unload },
        charonPeakRssMiB: Math.round(Number(rss) / 1024),
        clientRssMiB: Math.round(process.memoryUsage.rss() / 1024 / 1024),
      }),
    );
    charon.close();
  } finally {
    await native.stop();
  }
}

if (import.meta.main) await main(Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? 6));
