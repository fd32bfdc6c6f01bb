// Certificates of the test control plane, made by openssl: one CA, serving and client certificates. The hosts' own
// IPsec certificates are the testbed's.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TestCa extends KeyPair {
  readonly dir: string;
}

export interface Subject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly names?: readonly string[];
  readonly addresses?: readonly string[];
}

/** A self-signed CA of one day with a P-256 key, in `dir`; an existing one is used again. */
export function makeCa(dir: string, commonName: string): TestCa {
  const ca = { dir, certFile: join(dir, 'ca.crt'), keyFile: join(dir, 'ca.key') };
  if (existsSync(ca.certFile)) return ca;
  openssl([
    'req',
    '-x509',
    '-days',
    '1',
    ...NEW_KEY,
    '-keyout',
    ca.keyFile,
    '-out',
    ca.certFile,
    '-subj',
    `/CN=${commonName}`,
  ]);
  return ca;
}

/** A certificate for servers and clients, signed by `ca`; an existing one of that file name is used again. */
export function makeKeyPair(ca: TestCa, fileName: string, subject: Subject): KeyPair {
  const pair = { certFile: join(ca.dir, `${fileName}.crt`), keyFile: join(ca.dir, `${fileName}.key`) };
  if (existsSync(pair.certFile)) return pair;
  const request = join(ca.dir, `${fileName}.csr`);
  const extensions = join(ca.dir, `${fileName}.ext`);
  writeFileSync(extensions, extensionText(subject));
  openssl(['req', ...NEW_KEY, '-keyout', pair.keyFile, '-out', request, '-subj', subjectText(subject)]);
  openssl([
    ...['x509', '-req', '-days', '1', '-in', request, '-out', pair.certFile, '-extfile', extensions],
    ...['-CA', ca.certFile, '-CAkey', ca.keyFile, '-set_serial', `0x${serial()}`],
  ]);
  return pair;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-sha256'];

function subjectText(subject: Subject): string {
  const organizations = (subject.organizations ?? []).map((name) => `/O=${name}`);
  return `${organizations.join('')}/CN=${subject.commonName}`;
}

function extensionText(subject: Subject): string {
  const alternatives = [
    ...(subject.names ?? []).map((name) => `DNS:${name}`),
    ...(subject.addresses ?? []).map((address) => `IP:${address}`),
  ];
  const lines = ['extendedKeyUsage = serverAuth, clientAuth', 'keyUsage = digitalSignature'];
  if (alternatives.length > 0) lines.push(`subjectAltName = ${alternatives.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

function serial(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 30);
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
