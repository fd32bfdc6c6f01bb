// Rows of the matrix about certificates: of another kind, of another CA, all cleared. SAs that are up must not notice, and the
// next ones must come about with what is new.
import { expect } from 'chai';
import type { PlatformPki } from '../lab/pki.ts';
import type { LabHost } from '../lab/topology.ts';
import { policyRow, type Ground } from './ground.ts';
import { pause } from './row.ts';
import { matrixSuite } from './suite.ts';

const POLICY = 'matrix';
const client = 'worker-0';
const server = 'controller-0';
const ENDS = [client, server] as const;
const CA_FOLDER = '/etc/swanctl/x509ca/';
const NOTHING = { lost: 0 } as const;

matrixSuite(
  {
    name: 'credentials',
    setUp: async ({ op }) => {
      await op.applyPolicy(POLICY, [policyRow('first', 'udp/6001')]);
      await op.untilProgrammed(POLICY);
    },
  },
  (row) => {
    row('credentials cleared and loaded (--load-creds --clear alone)', NOTHING, async (at, { lab }) => {
      at.mark();
      for (const host of ENDS) await lab.swanctl(host, '--load-creds', '--clear', '--noprompt');
      await pause(2000);
    });

    row(
      'certificates RSA to ECDSA P-384, one host after the other',
      { ...NOTHING, also: expectEcdsa },
      async (at, ground) => {
        const { lab } = ground;
        at.mark();
        for (const host of ENDS) {
          const certificate = lab.issueCertificate(`ipsec-${host}`, 'current', 'ecdsa');
          await lab.installCertificate(host, certificate);
          await negotiate(ground);
        }
        await pause(2000);
      },
    );

    row('CA rotated: old, both, new', NOTHING, async (at, ground) => {
      const { lab } = ground;
      const next = lab.nextAuthorities();
      at.mark();
      for (const host of ENDS) {
        await lab.run(host, ['cp', `${CA_FOLDER}system-local-ca-1.crt`, `${CA_FOLDER}system-local-ca-0.crt`]);
        await installCas(lab, host, { '1': next });
      }
      await negotiate(ground);
      for (const host of ENDS) await lab.installCertificate(host, next.issue(`ipsec-${host}`));
      await negotiate(ground);
      for (const host of ENDS) await installCas(lab, host, { '0': next, '1': next });
      await negotiate(ground);
      await pause(2000);
    });
  },
);

/** Roots and local CAs as the platform names their files: 0 the previous, 1 the current one. */
async function installCas(
  lab: Ground['lab'],
  host: LabHost,
  pkis: Readonly<Partial<Record<'0' | '1', PlatformPki>>>,
): Promise<void> {
  for (const [number, { root, localCas }] of Object.entries(pkis))
    await lab.writeFiles(host, {
      [`${CA_FOLDER}system-root-ca-${number}.crt`]: root.certificate,
      [`${CA_FOLDER}system-local-ca-${number}.crt`]: localCas[1].certificate,
    });
  await lab.swanctl(host, '--load-creds', '--clear', '--noprompt');
  await lab.swanctl(host, '--load-conns');
}

/** Makes an IKE_SA with what is there now and ends it: over IPv6, where no flow of a row is. Rejects when either end refuses. */
async function negotiate({ lab, op }: Ground): Promise<void> {
  const connection = `k8s-node-${server}-ipv6`;
  const children = await op.childrenOn(client);
  const child = children.find((name) => name.startsWith(`${connection}/`))?.split('/')[1] ?? '';
  await lab.swanctl(client, '--initiate', '--ike', connection, '--child', child, '--timeout', '20');
  await lab.swanctl(client, '--terminate', '--ike', connection, '--timeout', '20');
}

async function expectEcdsa(_report: unknown, { lab }: Ground): Promise<void> {
  for (const host of ENDS) {
    const listing = await lab.swanctl(host, '--list-certs', '--type', 'x509');
    expect(listing, `certificates of ${host}`).to.match(/ECDSA 384 bits, has private key/);
  }
}
