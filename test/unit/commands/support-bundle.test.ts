import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { archive } from '../../../app/commands/archive.ts';
import {
  nodeObject,
  ourObject,
  podObject,
  serviceObject,
  workloadObject,
} from '../../../app/commands/bundle-objects.ts';
import { withoutSecrets } from '../../../app/commands/without-secrets.ts';

const KEY = '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIPLANTED\n-----END EC PRIVATE KEY-----';
const TOKEN = 'eyJhbGciOiJSUzI1NiIsImtpZCI6IlBMQU5URUQifQ.eyJQTEFOVEVEIjoxfQ.UExBTlRFRA';

describe('archive', () => {
  const files = new Map([
    ['b/second.txt', 'second\n'],
    ['a.txt', ''],
    [`${'d'.repeat(80)}/${'f'.repeat(90)}.log`, 'x'.repeat(1025)],
  ]);

  it('is what tar reads, with the same bytes for the same files in any order', () => {
    const bytes = archive(files);
    expect(archive(new Map([...files].reverse())).equals(bytes)).to.equal(true);
    const dir = mkdtempSync(join(tmpdir(), 'archive-'));
    try {
      writeFileSync(join(dir, 'x.tar.gz'), bytes);
      const listed = execFileSync('tar', ['-tzf', 'x.tar.gz'], { cwd: dir, encoding: 'utf8' });
      expect(listed.trim().split('\n')).to.deep.equal([...files.keys()].sort());
      execFileSync('tar', ['-xzf', 'x.tar.gz'], { cwd: dir });
      for (const [path, text] of files) expect(readFileSync(join(dir, path), 'utf8')).to.equal(text);
      expect(readdirSync(dir)).to.have.length(4);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('refuses a path that would be cut', () => {
    expect(() => archive(new Map([['n'.repeat(101), '']]))).to.throw('path too long');
  });
});

describe('withoutSecrets', () => {
  for (const [name, text, secret] of [
    ['a private key', `before ${KEY} after`, 'PLANTED'],
    ['a private key inside JSON', JSON.stringify({ msg: KEY }), 'PLANTED'],
    ['a private key that is cut off', KEY.slice(0, 50), 'PLANTED'],
    ['a token', `{"msg":"${TOKEN}"}`, 'UExBTlRFRA'],
    ['an Authorization header', 'Authorization: Bearer PLANTED-opaque-token', 'PLANTED'],
    ['a password in a URL', 'https://admin:PLANTED@registry.local:9001/v2', 'PLANTED'],
    ['a password as YAML', 'registry_password: PLANTED\n', 'PLANTED'],
    ['a secret as JSON', '{"clientSecret":"PLAN\\"TED"}', 'TED'],
    ['a pre-shared key', 'psk = PLANTED', 'PLANTED'],
    ['a password of JSON inside JSON', JSON.stringify({ msg: '{"password":"PLANTED"}' }), 'PLANTED'],
    ['a key whose name goes on', 'AWS_SECRET_ACCESS_KEY=PLANTED', 'PLANTED'],
    ['a private key that is one word', 'private_key: PLANTED', 'PLANTED'],
    ['a password of several lines', 'a:\n  password: |-\n    one\n    PLANTED\n', 'PLANTED'],
    ['all of a password', 'password=one,PLANTED;x', 'PLANTED'],
    ['a password with an @ in a URL', 'postgres://admin:p@PLANTED@db/x', 'PLANTED'],
    ['an option of a command line', 'curl --token PLANTED https://x', 'PLANTED'],
    ['an option in a list of arguments', 'args:\n  - --password\n  - PLANTED\n', 'PLANTED'],
    ['a private key of PGP', KEY.replaceAll('EC PRIVATE KEY', 'PGP PRIVATE KEY BLOCK'), 'PLANTED'],
    ['a private key in base64', Buffer.from(KEY).toString('base64'), 'QUlFSVBMQU5URUQ'],
  ] as const)
    it(`blanks ${name}`, () => expect(withoutSecrets(text)).not.to.contain(secret));

  it('leaves the rest of a line of JSON', () =>
    expect(withoutSecrets('{"msg":"token=x","level":"warn"}')).to.equal(
      '{"msg":"token=[left out]","level":"warn"}',
    ));

  it('needs no more than its time for a long word', () => {
    const startMs = performance.now();
    for (const word of [
      'a',
      'A_',
      'password',
      '-eyJaaaaaaaaaaaa',
      '-----BEGIN ',
      '://a:',
      'password: |\n',
      '"token\\',
    ])
      withoutSecrets(word.repeat(200_000 / word.length));
    expect(performance.now() - startMs).to.be.lessThan(5000);
  });

  it('leaves what a report is made of', () => {
    const text = [
      'k8s-node-worker-0 { local { auth = pubkey id = CN=ipsec-worker-0 } }',
      '{"level":"warn","msg":"charon is gone","reason":"connect ENOENT /host/run/charon.vici"}',
      '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
      'ipsec_policy_flows_not_in_force 0',
      'spi-in: c1a2b3c4',
      'tcp_secret-store_egress:\n  mode: TUNNEL',
    ].join('\n');
    expect(withoutSecrets(text)).to.equal(text);
  });
});

describe('objects of a bundle', () => {
  const metadata = {
    name: 'x',
    labels: { app: 'x' },
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'PLANTED' },
    managedFields: [{ manager: 'PLANTED' }],
  };

  it('have nothing of annotations, and of environment variables only ours', () => {
    const container = {
      name: 'agent',
      image: 'i',
      env: [
        { name: 'LOG_LEVEL', value: 'info' },
        { name: 'REGISTRY_PASSWORD', value: 'PLANTED' },
      ],
      volumeMounts: [{ name: 'PLANTED' }],
    };
    const pod = { metadata, spec: { nodeName: 'n', containers: [container], imagePullSecrets: ['PLANTED'] } };
    const all = [
      ourObject({ metadata, spec: { policies: [] } }),
      nodeObject({ metadata, status: { images: ['PLANTED'] } }),
      serviceObject({ metadata, spec: { ports: [] }, status: 'PLANTED' }),
      podObject(pod),
      workloadObject({ metadata, spec: { template: { metadata, spec: { containers: [container] } } } }),
    ];
    expect(JSON.stringify(all)).not.to.contain('PLANTED');
    expect(JSON.stringify(podObject(pod))).to.contain('"LOG_LEVEL"');
  });
});
