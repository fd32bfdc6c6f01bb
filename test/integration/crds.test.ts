// The CRDs against a real API server: what users may write, and what they are told when they may not.
import { expect } from 'chai';
import { load } from 'js-yaml';
import { ApiError } from '../../app/kubernetes/api-error.ts';
import { HOSTS, NETWORKS, POLICIES, REPORTS, SHARDS } from '../../app/kubernetes/resources.ts';
import { policyObject, type RowText } from '../support/kubernetes-objects.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';

const SEED_POLICY = `
apiVersion: starlingx.io/v1
kind: IPsecPolicy
metadata:
  labels:
    app.kubernetes.io/name: ipsec-policy-manager-operator
    app.kubernetes.io/managed-by: kustomize
  name: ipsecpolicy-kube-dns-sample
spec:
  policies:
    - name: kube-dns
      servicename: kube-dns
      servicens: kube-system
      serviceports: udp/53,tcp/53,tcp/9153
    - name: cert-manager
      servicename: cm-cert-manager
      servicens: cert-manager
      serviceports: tcp/9402
`;

const PORTS_HELP =
  'write protocol/port pairs separated by single commas, without blanks, e.g. udp/53,tcp/9153';
const NAME_HELP = 'write letters, digits, "-", "_" and "."';
const SERVICE_HELP = 'as "kubectl get services" shows it';
const NAMESPACE_HELP = 'as "kubectl get namespaces" shows it';

const ACCEPTED: readonly { readonly what: string; readonly rows: readonly RowText[] }[] = [
  { what: 'one port', rows: [{ serviceports: 'tcp/443' }] },
  { what: 'the lowest and the highest port', rows: [{ serviceports: 'tcp/1,udp/65535' }] },
  { what: 'sctp', rows: [{ serviceports: 'sctp/36412' }] },
  { what: 'a port twice, which counts once', rows: [{ serviceports: 'tcp/53,tcp/53' }] },
  { what: 'two rows for one service, which add up', rows: [{ name: 'a' }, { name: 'b' }] },
  { what: 'names of 63 characters', rows: [{ name: 'n'.repeat(63), servicename: 's'.repeat(63) }] },
  {
    what: 'the longest list of the longest rows',
    rows: Array.from({ length: 256 }, (_, i) => ({
      name: `${'n'.repeat(60)}${100 + i}`,
      serviceports: Array.from({ length: 93 }, (_unused, port) => `udp/${60_000 + port}`).join(','),
    })),
  },
];

const REFUSED: readonly {
  readonly what: string;
  readonly rows: readonly RowText[];
  readonly says: string;
}[] = [
  ...[
    'tcp',
    'tcp/',
    '/53',
    'tcp/0',
    'tcp/65536',
    'tcp/99999',
    'tcp/053',
    'tcp/53,,udp/53',
    'tcp/53,',
    ',tcp/53',
    '',
  ].map(ports),
  ...['TCP/53', 'Udp/53', 'icmp/1', 'esp/50', '53', 'tcp/domain', 'tcp/53-60', 'tcp/-1', 'tcp/5.3'].map(
    ports,
  ),
  ...[' ', ' tcp/53', 'tcp/53 ', 'tcp/53, udp/53', 'tcp /53', 'tcp/53\n', 'tcp/53;udp/53'].map(ports),
  {
    what: '10,000 characters of ports',
    rows: [{ serviceports: 'tcp/53,'.repeat(1428) + 'tcp/'.repeat(1) }],
    says: 'serviceports: Too long: may not be more than 1024 bytes',
  },
  {
    what: 'two rows of one name',
    rows: [{}, {}],
    says: 'two rows have the same name: give each row its own name',
  },
  {
    what: 'an empty list',
    rows: [],
    says: 'the list is empty: name at least one service, or delete the IPsecPolicy',
  },
  {
    what: '1,000 rows',
    rows: Array.from({ length: 1000 }, (_, i) => ({ name: `row-${i}` })),
    says: 'spec.policies: Too many: 1000: must have at most 256 items',
  },
  ...[
    '',
    ' ',
    'a b',
    'a;reboot',
    '$(reboot)',
    '`x`',
    'a}b',
    'a{',
    'a"b',
    "a'b",
    'a#b',
    'a\nb',
    '-a',
    'a/../b',
    'ä',
  ].map((name) => ({ what: `a row named ${JSON.stringify(name)}`, rows: [{ name }], says: NAME_HELP })),
  ...['', 'Kube-DNS', 'a.b', 'a b', 'a;reboot', 'a}b', 'a_b', '-a', 'a-', '../a'].map((servicename) => ({
    what: `a service named ${JSON.stringify(servicename)}`,
    rows: [{ servicename }],
    says: SERVICE_HELP,
  })),
  ...['', 'Kube', 'kube.system', 'a}b', '$x', 'a\n'].map((servicens) => ({
    what: `a namespace named ${JSON.stringify(servicens)}`,
    rows: [{ servicens }],
    says: NAMESPACE_HELP,
  })),
  {
    what: 'a name of 64 characters',
    rows: [{ servicename: 's'.repeat(64) }],
    says: 'servicename: Too long: may not be more than 63 bytes',
  },
];

function ports(serviceports: string): { what: string; rows: RowText[]; says: string } {
  return { what: `the ports ${JSON.stringify(serviceports)}`, rows: [{ serviceports }], says: PORTS_HELP };
}

describe('the CRDs in a real API server', function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  before(async () => {
    cluster = await startTestCluster();
  });
  after(async () => {
    await cluster.stop();
  });

  const refusalOf = async (object: object, resource = POLICIES): Promise<string> => {
    const result = await cluster.admin.create(resource, object).catch((error: unknown) => error);
    if (!(result instanceof ApiError)) expect.fail('it was accepted');
    expect(result.status).to.equal(422);
    expect(result.retry).to.equal('on-change');
    return result.message;
  };

  it("take the seed's policy unchanged", async () => {
    const stored = (await cluster.admin.create(POLICIES, load(SEED_POLICY) as object)) as { spec: object };
    expect(stored.spec).to.deep.equal((load(SEED_POLICY) as { spec: object }).spec);
  });

  for (const { what, rows } of ACCEPTED)
    it(`accept ${what}`, async () => {
      await cluster.admin.create(POLICIES, policyObject('accepted', rows));
      await cluster.admin.delete(POLICIES, { name: 'accepted' });
    });

  for (const { what, rows, says } of REFUSED)
    it(`refuse ${what} and say what to write`, async () => {
      expect(await refusalOf(policyObject('refused', rows))).to.contain(says);
    });

  for (const field of ['name', 'servicename', 'servicens', 'serviceports'])
    it(`refuse a row without ${field}`, async () => {
      const row = { name: 'a', servicename: 'b', servicens: 'c', serviceports: 'tcp/1', [field]: undefined };
      const message = await refusalOf({ metadata: { name: 'refused' }, spec: { policies: [row] } });
      expect(message).to.contain(`spec.policies[0].${field}: Required value`);
    });

  it('name the value that was refused', async () => {
    const message = await refusalOf(policyObject('refused', [{ serviceports: 'tcp/53,icmp/1' }]));
    expect(message).to.contain('"tcp/53,icmp/1" is not a list of ports');
  });

  it('refuse a second IPsecNetwork', async () => {
    const parameters = {
      ...{ ikeProposal: 'aes128-sha256-modp3072', espProposal: 'aes128gcm16', ikeReauthSeconds: 1 },
      ...{ ikeRekeySeconds: 1, childRekeySeconds: 1, dpdSeconds: 1 },
    };
    const spec = { pools: [], guardMode: 'enforce', parameters };
    await cluster.admin.create(NETWORKS, { metadata: { name: 'cluster' }, spec });
    expect(await refusalOf({ metadata: { name: 'other' }, spec }, NETWORKS)).to.contain('name it cluster');
  });

  it('raise the generation of an IPsecPolicy with its spec and not with its status', async () => {
    await cluster.admin.create(POLICIES, policyObject('generations'));
    const status = { observedGeneration: 1, policies: 1, endpoints: 2, hosts: '2/3' };
    const after = await cluster.admin.mergePatch(
      POLICIES,
      { name: 'generations', subresource: 'status' },
      { status },
    );
    expect(generationOf(after)).to.equal(1);
    const edited = { spec: { policies: [{ ...ROW, serviceports: 'tcp/53' }] } };
    const changed = await cluster.admin.mergePatch(POLICIES, { name: 'generations' }, edited);
    expect(generationOf(changed)).to.equal(2);
    expect((changed as { status: object }).status).to.deep.equal(status);
  });

  it('raise the generation of an IPsecService with its spec and not with its labels', async () => {
    const name = 'kube-system.kube-dns.0';
    const spec = {
      namespace: 'kube-system',
      service: 'kube-dns',
      index: 0,
      clusterIPs: [],
      servicePorts: [],
    };
    await cluster.admin.create(SHARDS, { metadata: { name }, spec: { ...spec, stages: [], endpoints: [] } });
    const labelled = await cluster.admin.mergePatch(SHARDS, { name }, { metadata: { labels: { a: 'b' } } });
    expect(generationOf(labelled)).to.equal(1);
    const changed = await cluster.admin.mergePatch(
      SHARDS,
      { name },
      { spec: { clusterIPs: ['10.96.0.10'] } },
    );
    expect(generationOf(changed)).to.equal(2);
  });

  it('keep a report without status, and its status apart from the object', async () => {
    await cluster.admin.create(REPORTS, { metadata: { name: 'worker-0' }, status: { charonVersion: 'x' } });
    expect(await cluster.admin.get(REPORTS, { name: 'worker-0' })).not.to.have.property('status');
  });

  it('refuse a host without its lists', async () => {
    const message = await refusalOf({ metadata: { name: 'worker-0' }, spec: {} }, HOSTS);
    expect(message).to.contain('spec.addresses: Required value').and.contain('spec.prefixes: Required value');
  });
});

const ROW = { name: 'kube-dns', servicename: 'kube-dns', servicens: 'kube-system' };

function generationOf(object: unknown): number {
  return (object as { metadata: { generation: number } }).metadata.generation;
}
