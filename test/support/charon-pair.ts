// Two real charons of this machine that reach each other over a link of their own: enough to negotiate an IKE_SA, or to fail to.
// No ESP: the kernel here need not have it. Needs root and Debian's strongswan-charon.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectionTree } from '../../app/swanctl/host-config-tree.ts';
import { connectCharon, type Charon } from '../../app/vici/charon.ts';
import { openSession } from '../../app/vici/session.ts';
import { makePki, type Certificate, type PlatformPki } from '../testbed/lab/pki.ts';
import { parseAddress } from '../../app/domain/ip.ts';
import { DEFAULT_PARAMETERS, type IpsecParameters } from '../../app/domain/facts.ts';
import { peer } from './host-configs.ts';
import { startNativeCharon, type NativeCharon } from './native-charon.ts';

export const PAIR = { near: 'controller-0', far: 'controller-1' } as const;
export type End = keyof typeof PAIR;
const ADDRESSES: Readonly<Record<End, string>> = { near: '192.168.206.2', far: '192.168.206.3' };
const TIMEOUT_MS = 20_000;

export interface CharonPair {
  readonly pki: PlatformPki;
  /** Of an end. */
  path(end: End): string;
  /** In place of all that it has: its certificate and key, and the CAs that it trusts. */
  certify(end: End, own: Certificate, cas?: readonly Certificate[]): Promise<void>;
  /** Loads its connection to the other end. */
  connect(end: End, parameters?: Partial<IpsecParameters>): Promise<void>;
  /** A packet filter of the far end. */
  nft(rules: string): void;
  /** Rejects when there is no IKE_SA in that time. */
  initiate(timeoutMs: number): Promise<void>;
  /** Ends all there is between them. */
  terminate(): Promise<void>;
  stop(): Promise<void>;
}

export async function startCharonPair(): Promise<CharonPair> {
  const dir = mkdtempSync(join(tmpdir(), 'charon-pair-'));
  const pki = makePki(dir, 'ecdsa');
  const ends: Record<End, NativeCharon> = {
    near: await startNativeCharon(),
    far: await startNativeCharon(),
  };
  const inside = (end: End, ...argv: readonly string[]): void => {
    execFileSync('nsenter', [`--net=/proc/${ends[end].process.pid}/ns/net`, ...argv], { stdio: 'pipe' });
  };
  inside(
    'near',
    'ip',
    'link',
    'add',
    'far',
    'type',
    'veth',
    'peer',
    'name',
    'near',
    'netns',
    String(ends.far.process.pid),
  );
  inside('near', 'ip', 'addr', 'add', `${ADDRESSES.near}/24`, 'dev', 'far');
  inside('far', 'ip', 'addr', 'add', `${ADDRESSES.far}/24`, 'dev', 'near');
  inside('near', 'ip', 'link', 'set', 'far', 'up');
  inside('far', 'ip', 'link', 'set', 'near', 'up');
  const charons: Record<End, Charon> = {
    near: await connectCharon({ path: ends.near.path, timeoutMs: TIMEOUT_MS }),
    far: await connectCharon({ path: ends.far.path, timeoutMs: TIMEOUT_MS }),
  };
  const other = (end: End): End => (end === 'near' ? 'far' : 'near');
  return {
    pki,
    path: (end) => ends[end].path,
    certify: async (end, own, cas = [pki.root, ...pki.localCas]) => {
      const session = await openSession({ path: ends[end].path, timeoutMs: TIMEOUT_MS });
      await session.request('clear-creds', {});
      for (const { certificate } of cas)
        await session.request('load-cert', { type: 'X509', flag: 'CA', data: certificate });
      await session.request('load-cert', { type: 'X509', flag: 'NONE', data: own.certificate });
      await session.request('load-key', { type: 'any', data: own.key });
      session.close();
    },
    connect: (end, parameters = {}) => {
      const connection = {
        ...peer(PAIR[other(end)], []),
        localAddress: parseAddress(ADDRESSES[end])!,
        remoteAddress: parseAddress(ADDRESSES[other(end)])!,
        localCommonName: `ipsec-${PAIR[end]}`,
        remoteCommonName: `ipsec-${PAIR[other(end)]}`,
        parameters: { ...DEFAULT_PARAMETERS, ...parameters },
      };
      return charons[end].loadConnection(connection.name, connectionTree(connection));
    },
    nft: (rules) => inside('far', 'nft', rules),
    initiate: (timeoutMs) => charons.near.initiate({ ike: `k8s-node-${PAIR.far}`, timeoutMs }),
    terminate: async () => {
      for (const end of ['near', 'far'] as const)
        await charons[end].terminate({ ike: `k8s-node-${PAIR[other(end)]}`, force: true, timeoutMs: 5000 });
    },
    stop: async () => {
      for (const end of ['near', 'far'] as const) {
        charons[end].close();
        await ends[end].stop();
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
