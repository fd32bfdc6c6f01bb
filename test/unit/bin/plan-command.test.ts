// The golden text is rewritten by: UPDATE_GOLDEN=1 npx mocha test/unit/bin/plan-command.test.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { dump, load } from 'js-yaml';
import { planFromDump } from '../../../app/bin/plan-command.ts';
import { DumpError } from '../../../app/bin/read-dump.ts';
import { policyObject } from '../../support/kubernetes-objects.ts';

const GOLDEN = join(import.meta.dirname, '../../golden');
const CLUSTER = readFileSync(join(GOLDEN, 'plan-command/cluster.yaml'), 'utf8');
const PLAN = join(GOLDEN, 'plan-command/plan.txt');

interface Item {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: Readonly<Record<string, unknown>>;
}

const ITEMS = (load(CLUSTER) as { readonly items: readonly Item[] }).items;

function listOf(items: readonly unknown[]): string {
  return dump({ apiVersion: 'v1', kind: 'List', items });
}

function withRows(rows: Parameters<typeof policyObject>[1]): Item[] {
  const { spec } = policyObject('x', rows) as { spec: Item['spec'] };
  return ITEMS.map((item) => (item.kind === 'IPsecPolicy' ? { ...item, spec: spec! } : item));
}

function comments(text: string): string[] {
  const [head = ''] = text.split('### ');
  return head.split('\n').filter((line) => line !== '');
}

function thrown(yaml: string): Error {
  try {
    planFromDump(yaml);
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

function textOf(yaml: string): string {
  return planFromDump(yaml).text;
}

describe('planFromDump', () => {
  it('prints the file of each host for what kubectl prints of the cluster', () => {
    const text = textOf(CLUSTER);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(PLAN, text);
    expect(text).to.equal(readFileSync(PLAN, 'utf8'));
  });

  it('gives what facts of the same cluster give', () => {
    const files = textOf(CLUSTER).split('### ').slice(1);
    expect(files).to.have.length(3);
    for (const file of files) {
      const end = file.indexOf('\n');
      const reviewed = join(GOLDEN, 'three-hosts-of-the-description', `${file.slice(0, end)}.conf`);
      expect(file.slice(end + 1).replace('network-uid: offline', 'network-uid: network-1')).to.equal(
        readFileSync(reviewed, 'utf8'),
      );
    }
  });

  it('prints the same for the same objects twice, in another order, and as several documents', () => {
    const text = textOf(CLUSTER);
    expect(textOf(CLUSTER)).to.equal(text);
    expect(textOf(listOf(ITEMS.toReversed()))).to.equal(text);
    const [half, otherHalf] = [ITEMS.slice(0, 7), ITEMS.slice(7)];
    expect(textOf(`${listOf(otherHalf)}---\n${listOf(half)}---\n`)).to.equal(text);
    expect(textOf(ITEMS.map((item) => dump(item)).join('---\n'))).to.equal(text);
  });

  it('takes a policy as its user wrote it, never applied', () => {
    const items = ITEMS.map((item) => {
      if (item.kind !== 'IPsecPolicy') return item;
      return { ...item, metadata: { name: item.metadata.name } };
    });
    expect(textOf(listOf(items))).to.equal(textOf(CLUSTER));
  });

  it('names what cannot be read, in any order of the objects, and plans with the rest', () => {
    const spoiled = [
      { kind: 'Service', metadata: { namespace: 'ns', name: 'odd' }, spec: { ports: 'none' } },
      { kind: 'IPAMBlock', metadata: { name: 'no-block' }, spec: { cidr: 'x' } },
      { kind: 'Service' },
    ];
    const text = textOf(listOf([...ITEMS, ...spoiled]));
    expect(comments(text).map((line) => line.split(':').slice(0, 2).join(':'))).to.deep.equal([
      '# not readable: IPAMBlock no-block',
      '# not readable: Service ns/odd',
      '# not readable: Service without a name',
    ]);
    expect(text.slice(text.indexOf('### '))).to.equal(textOf(CLUSTER));
    expect(textOf(listOf([...spoiled.toReversed(), ...ITEMS]))).to.equal(text);
  });

  it('puts each problem once before the files, as a comment of one line', () => {
    const rows = [
      { name: 'a', serviceports: 'udp/5' },
      { name: 'b', servicename: 'no-such' },
      { name: 'c', servicename: 'no-such' },
    ];
    const hostile = policyObject('hostile', [{ serviceports: 'tcp/1\nconnections {\u2028x\r\n' }]);
    const items = [...withRows(rows), { apiVersion: 'starlingx.io/v1', kind: 'IPsecPolicy', ...hostile }];
    const text = textOf(listOf(items));
    const lines = comments(text);
    expect(lines.map((line) => line.split(' ')[1])).to.deep.equal([
      'refused:',
      'PortNotFound',
      'ServiceNotFound',
    ]);
    expect(lines.every((line) => line.startsWith('# '))).to.equal(true);
    expect(text).not.to.match(/[\u2028\r]/);
  });

  it('puts the problems of one host before its file', () => {
    const items = JSON.parse(JSON.stringify(ITEMS).replaceAll('worker-0', 'worker.0')) as Item[];
    const [, ofHost = ''] = textOf(listOf(items)).split('### worker.0\n');
    expect(ofHost).to.match(/^# UnsupportedHostName worker\.0: /);
  });

  it('says that no host has an agent, instead of nothing', () => {
    const items = JSON.parse(
      JSON.stringify(ITEMS).replaceAll('ipsec-policy-agent-operator', 'another-label'),
    ) as Item[];
    const { text, problems } = planFromDump(listOf(items));
    expect(comments(text)).to.include(
      '# no Node in the dump carries the label of the agent, so nothing is protected: label hosts ipsec-policy-agent-operator=enabled',
    );
    expect(problems).to.be.greaterThan(0);
  });

  for (const { kind, says } of [
    { kind: 'Service', says: 'no service can be found' },
    { kind: 'EndpointSlice', says: 'no service has an endpoint' },
    { kind: 'Node', says: 'there is no host to plan for' },
    { kind: 'IPAMBlock', says: 'nobody knows which host a pod is on' },
    { kind: 'BlockAffinity', says: 'the newest blocks of hosts are not known' },
    { kind: 'IPPool', says: 'nobody knows which addresses pods may have' },
  ])
    it(`says first that the dump has no ${kind}, and how to make one that has`, () => {
      const { text, problems } = planFromDump(listOf(ITEMS.filter((item) => item.kind !== kind)));
      const [first, second] = comments(text);
      expect(first).to.equal(`# missing: no ${kind} is in the dump, so ${says}`);
      expect(second).to.match(/^# a dump that has all: kubectl get ipsecpolicies,.* -A -o yaml$/);
      expect(problems).to.be.greaterThan(0);
    });

  it('plans no policy that the API server would refuse, and says what to write', () => {
    const wrong = { ...ITEMS[0]!, metadata: { name: 'wrong' }, spec: { policies: [] } };
    const { text, problems } = planFromDump(listOf([wrong, ...ITEMS]));
    expect(comments(text)).to.deep.equal([
      '# refused: IPsecPolicy wrong: spec.policies: the list is empty: name at least one service, or delete the IPsecPolicy to end its protection. Not planned: the API server would not take it',
    ]);
    expect([problems, text.slice(text.indexOf('### '))]).to.deep.equal([1, textOf(CLUSTER)]);
    const alone = planFromDump(listOf(withRows([{ servicename: 'Kube-DNS' }])));
    expect(comments(alone.text)[0]).to.contain(
      'spec.policies[0].servicename: "Kube-DNS" cannot be a Service: write',
    );
    expect(alone.text).not.to.contain('kube-dns_egress');
  });

  it('names a field that nobody knows', () => {
    const rows = [{ servicenamespace: 'kube-system' } as object];
    expect(comments(textOf(listOf(withRows(rows))))[0]).to.contain(
      'spec.policies[0].servicenamespace is no field of an IPsecPolicy',
    );
  });

  it('counts no problem where all is protected', () => {
    expect(planFromDump(CLUSTER).problems).to.equal(0);
  });

  const REFUSED = [
    { name: 'what is no YAML', yaml: 'items: [', message: /^the dump is not YAML: .*\(1:\d+\)$/ },
    { name: 'nothing', yaml: '', message: /^the dump has no IPsecPolicy; make it with: kubectl get / },
    { name: 'a text', yaml: 'just words', message: /has no IPsecPolicy/ },
    { name: 'null documents', yaml: '---\n---\nnull\n', message: /has no IPsecPolicy/ },
    { name: 'a cluster without a policy', yaml: listOf(ITEMS.slice(1)), message: /has no IPsecPolicy/ },
  ];
  for (const { name, yaml, message } of REFUSED)
    it(`refuses ${name}`, () => {
      const error = thrown(yaml);
      expect(error).to.be.instanceOf(DumpError);
      expect(error.message).to.match(message);
      expect(error.message).not.to.contain('\n');
    });
});
