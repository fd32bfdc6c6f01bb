// The platform's certificates as StarlingX lays them out: a root CA, two local CAs under it (previous and current) and
// one certificate `CN=ipsec-<host>` for each host. Which files go where on a host is platform-conf.ts's business.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Key types of the platform's two generations: Bullseye and Trixie. */
export type KeyKind = 'rsa' | 'ecdsa';

export interface Certificate {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}

export interface PlatformPki {
  readonly root: Certificate;
  /** `system-local-ca-0` and `-1`: the previous and the current issuer. */
  readonly localCas: readonly [Certificate, Certificate];
  /** A certificate `CN=<commonName>` out of the current local CA, or the previous one; with keys of another kind if told. */
  issue(commonName: string, issuer?: 'previous' | 'current', keys?: KeyKind): Certificate;
  /** One that ended yesterday, out of the current local CA. */
  expired(commonName: string): Certificate;
  /** Another root, with local CAs under it, as after a rotation. */
  successor(): PlatformPki;
}

/** Makes the CAs; about 0.1 s a key. */
export function makePki(dir: string, kind: KeyKind): PlatformPki {
  mkdirSync(dir, { recursive: true });
  let serial = 0;
  const make = (
    commonName: string,
    issuer: Certificate | undefined,
    ca: boolean,
    { keys = kind, days = 90 }: { readonly keys?: KeyKind; readonly days?: number } = {},
  ): Certificate => {
    const file = (ending: string): string => join(dir, `${commonName}-${serial}.${ending}`);
    serial++;
    writeFileSync(file('ext'), `basicConstraints = critical, CA:${ca ? 'TRUE' : 'FALSE'}\n`);
    openssl(
      ['req', '-new', ...newKey(keys), '-nodes', '-keyout', file('key'), '-out', file('csr')],
      commonName,
    );
    const common = ['x509', '-req', '-days', String(days), '-in', file('csr'), '-extfile', file('ext')];
    if (issuer === undefined) openssl([...common, '-signkey', file('key'), '-out', file('crt')]);
    else {
      writeFileSync(file('issuer.crt'), issuer.certificate);
      writeFileSync(file('issuer.key'), issuer.key, { mode: 0o600 });
      const signer = ['-CA', file('issuer.crt'), '-CAkey', file('issuer.key'), '-set_serial', String(serial)];
      openssl([...common, ...signer, '-out', file('crt')]);
    }
    return { certificate: readFileSync(file('crt'), 'utf8'), key: readFileSync(file('key'), 'utf8') };
  };
  const authorities = (generation: string): PlatformPki => {
    const root = make(`system-root-ca${generation}`, undefined, true);
    const local = (number: number): Certificate => make(`system-local-ca${generation}-${number}`, root, true);
    const localCas = [local(0), local(1)] as const;
    return {
      root,
      localCas,
      issue: (commonName, issuer = 'current', keys = kind) =>
        make(commonName, issuer === 'current' ? localCas[1] : localCas[0], false, { keys }),
      expired: (commonName) => make(commonName, localCas[1], false, { days: -1 }),
      successor: () => authorities(`${generation}-next`),
    };
  };
  return authorities('');
}

function newKey(kind: KeyKind): string[] {
  return kind === 'rsa'
    ? ['-newkey', 'rsa:2048']
    : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1'];
}

function openssl(args: readonly string[], commonName?: string): void {
  const subject = commonName === undefined ? [] : ['-subj', `/CN=${commonName}`];
  execFileSync('openssl', [...args, ...subject], { stdio: ['ignore', 'ignore', 'pipe'] });
}
