// Policies that users might write, right and wrong: what the API server says of each (crds.test.ts), the offline rules must say
// too (policy-rules.test.ts).
import type { RowText } from './kubernetes-objects.ts';

const PORTS_HELP =
  'write protocol/port pairs separated by single commas, without blanks, e.g. udp/53,tcp/9153';
const NAME_HELP = 'write letters, digits, "-", "_" and "."';
const SERVICE_HELP =
  'as "kubectl get services" shows it: lower-case letters, digits and "-", e.g. kube-dns; its namespace goes into servicens';
const NAMESPACE_HELP = 'as "kubectl get namespaces" shows it';

/** Rows that are taken. */
export const ACCEPTED: readonly { readonly what: string; readonly rows: readonly RowText[] }[] = [
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

/** Rows that are refused, and what is said of them. */
export const REFUSED: readonly {
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
  ...['', 'Kube-DNS', 'a.b', 'a b', 'a;reboot', 'a}b', 'a_b', '-a', 'a-', '../a', 'kube-system/kube-dns'].map(
    (servicename) => ({
      what: `a service named ${JSON.stringify(servicename)}`,
      rows: [{ servicename }],
      says: SERVICE_HELP,
    }),
  ),
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

const ROW = { name: 'a', servicename: 'b', servicens: 'c', serviceports: 'tcp/1' };
const withRow = (row: unknown): object => ({ metadata: { name: 'refused' }, spec: { policies: [row] } });
const named = (name: string): object => ({ metadata: { name }, spec: { policies: [ROW] } });

/** Whole objects that are refused because of their shape or name, with the field that is named offline. */
export const REFUSED_OBJECTS: readonly {
  readonly what: string;
  readonly object: object;
  readonly field: string;
}[] = [
  { what: 'no spec', object: { metadata: { name: 'refused' } }, field: 'spec is missing' },
  { what: 'an empty spec', object: { metadata: { name: 'refused' }, spec: {} }, field: 'spec.policies is' },
  {
    what: 'a text for a list',
    object: { metadata: { name: 'refused' }, spec: { policies: 'kube-dns' } },
    field: 'spec.policies must be a list, not "kube-dns"',
  },
  {
    what: 'nothing for a list',
    object: { metadata: { name: 'refused' }, spec: { policies: null } },
    field: 'spec.policies',
  },
  { what: 'a row that is a text', object: withRow('kube-dns'), field: 'spec.policies[0] must be an object' },
  { what: 'a row that is nothing', object: withRow(null), field: 'spec.policies[0]' },
  {
    what: 'a port as a number',
    object: withRow({ ...ROW, serviceports: 53 }),
    field: 'spec.policies[0].serviceports must be text, not 53',
  },
  {
    what: 'ports as a list',
    object: withRow({ ...ROW, serviceports: ['tcp/53'] }),
    field: 'spec.policies[0].serviceports must be text, not a list',
  },
  { what: 'a name that is nothing', object: withRow({ ...ROW, name: null }), field: 'spec.policies[0].name' },
  ...['name', 'servicename', 'servicens', 'serviceports'].map((field) => ({
    what: `a row without ${field}`,
    object: withRow({ ...ROW, [field]: undefined }),
    field: `spec.policies[0].${field} is missing`,
  })),
  ...['Upper', 'a_b', 'a..b', '-a', 'a-', 'a b', 'a.', 'n'.repeat(254), ''].map((name) => ({
    what: `a policy named "${name.slice(0, 20)}"`,
    object: named(name),
    field: 'metadata.name',
  })),
];

/** Whole objects that are taken. */
export const ACCEPTED_OBJECTS: readonly { readonly what: string; readonly object: object }[] = [
  ...['a', '0', 'a.b-c.d', 'n'.repeat(253)].map((name) => ({
    what: `a policy named "${name.slice(0, 20)}"`,
    object: named(name),
  })),
  { what: 'a field that nobody knows', object: withRow({ ...ROW, comment: 'dropped' }) },
];
