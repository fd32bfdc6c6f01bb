// The CRDs against a real API server: what users may write, and what they are told when they may not.
import { expect } from 'chai';
import { load } from 'js-yaml';
import { ApiError } from '../../app/kubernetes/api-error.ts';
import { HOSTS, NETWORKS, POLICIES, REPORTS, SHARDS } from '../../app/kubernetes/resources.ts';
import { policyObject, type RowText } from '../support/kubernetes-objects.ts';
import { ACCEPTED, ACCEPTED_OBJECTS, REFUSED, REFUSED_OBJECTS } from '../support/policy-samples.ts';
import { kubectl } from '../support/service-accounts.ts';
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts';

const TYPE = { apiVersion: 'starlingx.io/v1', kind: 'IPsecPolicy' };

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

describe('the CRDs in a real API server', function () {
  this.timeout(120_000);
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

  for (const { what, object } of ACCEPTED_OBJECTS)
    it(`accept ${what}`, async () => {
      await cluster.admin.create(POLICIES, object);
      await cluster.admin.delete(POLICIES, (object as { metadata: { name: string } }).metadata);
    });

  for (const { what, object } of REFUSED_OBJECTS)
    it(`refuse ${what}`, async () => {
      expect(await refusalOf(object)).to.contain('is invalid');
    });

  it('refuse through kubectl a field that nobody knows', async () => {
    const object = policyObject('strange', [{ servicenamespace: 'typed wrongly' } as RowText]);
    const error: unknown = await kubectl(cluster, ['apply', '-f', '-'], { ...TYPE, ...object }).catch(
      (reason: unknown) => reason,
    );
    expect(String(error)).to.contain('unknown field "spec.policies[0].servicenamespace"');
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
