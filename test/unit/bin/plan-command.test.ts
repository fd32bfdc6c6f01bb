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

describe('planFromDump', () => {
  it('prints the file of each host for what kubectl prints of the cluster', () => {
    const text = planFromDump(CLUSTER);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(PLAN, text);
    expect(text).to.equal(readFileSync(PLAN, 'utf8'));
  });

  it('gives what facts of the same cluster give', () => {
    const files = planFromDump(CLUSTER).split('### ').slice(1);
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
    const text = planFromDump(CLUSTER);
    expect(planFromDump(CLUSTER)).to.equal(text);
    expect(planFromDump(listOf(ITEMS.toReversed()))).to.equal(text);
    const [half, otherHalf] = [ITEMS.slice(0, 7), ITEMS.slice(7)];
    expect(planFromDump(`${listOf(otherHalf)}---\n${listOf(half)}---\n`)).to.equal(text);
    expect(planFromDump(ITEMS.map((item) => dump(item)).join('---\n'))).to.equal(text);
  });

  it('takes a policy as its user wrote it, never applied', () => {
    const items = ITEMS.map((item) => {
      if (item.kind !== 'IPsecPolicy') return item;
      return { ...item, metadata: { name: item.metadata.name } };
    });
    expect(planFromDump(listOf(items))).to.equal(planFromDump(CLUSTER));
  });

  it('names what cannot be read, in any order of the objects, and plans with the rest', () => {
    const spoiled = [
      { kind: 'Service', metadata: { namespace: 'ns', name: 'odd' }, spec: { ports: 'none' } },
      { kind: 'IPAMBlock', metadata: { name: 'no-block' }, spec: { cidr: 'x' } },
      { kind: 'Service' },
    ];
    const text = planFromDump(listOf([...ITEMS, ...spoiled]));
    expect(comments(text).map((line) => line.split(':').slice(0, 2).join(':'))).to.deep.equal([
      '# not readable: IPAMBlock no-block',
      '# not readable: Service ns/odd',
      '# not readable: Service without a name',
    ]);
    expect(text.slice(text.indexOf('### '))).to.equal(planFromDump(CLUSTER));
    expect(planFromDump(listOf([...spoiled.toReversed(), ...ITEMS]))).to.equal(text);
  });

  it('puts each problem once before the files, as a comment of one line', () => {
    const rows = [
      { serviceports: 'udp/5' },
      { servicename: 'no-such' },
      { servicename: 'no-such' },
      { serviceports: 'tcp/1\nconnections {\u2028x\r\n' },
    ];
    const text = planFromDump(listOf(withRows(rows)));
    const lines = comments(text);
    expect(lines.map((line) => line.split(' ')[1])).to.deep.equal([
      'PortNotFound',
      'ServiceNotFound',
      'InvalidPorts',
    ]);
    expect(lines.every((line) => line.startsWith('# '))).to.equal(true);
    expect(text).not.to.match(/[\u2028\r]/);
  });

  it('puts the problems of one host before its file', () => {
    const items = JSON.parse(JSON.stringify(ITEMS).replaceAll('worker-0', 'worker.0')) as Item[];
    const [, ofHost = ''] = planFromDump(listOf(items)).split('### worker.0\n');
    expect(ofHost).to.match(/^# UnsupportedHostName worker\.0: /);
  });

  it('says that no host has an agent, instead of nothing', () => {
    const items = ITEMS.filter(({ kind }) => kind !== 'Node');
    expect(planFromDump(listOf(items))).to.contain('# no Node in the dump carries the label of the agent\n');
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
