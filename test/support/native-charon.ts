// A real charon on this machine, alone in its own network and mount namespaces: it loads, lists and installs policies,
// but has no peer and no ESP. Traffic is the testbed's. Needs root and Debian's strongswan-charon.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectCharon } from '../../app/vici/charon.ts';
import type { Charon } from '../../app/vici/charon.ts';
import { startChild } from './child.ts';
import type { Child } from './child.ts';

const CHARON = '/usr/lib/ipsec/charon';

/** The plugins of the testbed; never kernel-libipsec. */
const PLUGINS =
  'random nonce openssl aes sha1 sha2 hmac xcbc gcm kdf pem pkcs1 pkcs8 x509 pubkey constraints revocation ' +
  'kernel-netlink socket-default vici updown counters';

export interface NativeCharon {
  readonly path: string;
  readonly process: Child;
  stop(): Promise<void>;
}

/** Why it cannot run here, or undefined when it can. */
export function nativeCharonMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may start charon';
  return existsSync(CHARON) ? undefined : `${CHARON} is not installed`;
}

/** Starts one; it answers when the promise resolves. */
export async function startNativeCharon(): Promise<NativeCharon> {
  const directory = mkdtempSync(join(tmpdir(), 'native-charon-'));
  const path = join(directory, 'charon.vici');
  const conf = join(directory, 'strongswan.conf');
  writeFileSync(conf, `charon {\n  load = ${PLUGINS}\n  plugins { vici { socket = unix://${path} } }\n}\n`);
  const child = startChild({
    command: 'unshare',
    args: ['-m', '-n', 'bash', '-c', `mount -t tmpfs x /run && ip link set lo up && exec ${CHARON}`],
    logFile: join(directory, 'charon.log'),
    env: { ...process.env, STRONGSWAN_CONF: conf },
  });
  const stop = async (): Promise<void> => {
    await child.kill();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    (await connectWhenReady(path, child)).close();
  } catch (error) {
    await stop();
    throw error;
  }
  return { path, process: child, stop };
}

async function connectWhenReady(path: string, child: Child): Promise<Charon> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      return await connectCharon({ path, timeoutMs: 30_000 });
    } catch (error) {
      if (child.exited() || performance.now() > deadline)
        throw new Error(`charon did not start: ${child.logTail()}`, { cause: error });
      await delay(50);
    }
  }
}
