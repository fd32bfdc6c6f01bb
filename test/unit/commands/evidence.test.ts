import { expect } from 'chai';
import { parseEvidence } from '../../../app/commands/evidence.ts';

const TABLE = 'ipsec_policy_guard_0123abcd_1';
const EVIDENCE = {
  format: 1,
  host: 'worker-0',
  takenAt: '2026-01-01T00:00:00.000Z',
  localInterfaces: 'cali*',
  charon: {
    said: {
      version: { daemon: 'charon', version: '5.9.8', sysname: 'Linux', release: '6.12' },
      connections: [{ 'system-nodes': { local_addrs: ['192.168.206.2'], version: 'IKEv2' } }],
      sas: [],
      policies: [],
      stats: { uptime: { running: '1 hour' } },
    },
  },
  file: { said: '# k8s-nodes.conf\n' },
  guard: { said: { [TABLE]: '{}' } },
  metrics: { failed: 'fetch failed' },
};

describe('parseEvidence', () => {
  const parse = (change: object): unknown => parseEvidence(JSON.stringify({ ...EVIDENCE, ...change }));
  const charon = (change: object): object => ({
    charon: { said: { ...EVIDENCE.charon.said, ...change } },
  });

  it('gives what inspect prints', () => {
    expect(parse({})).to.deep.equal(EVIDENCE);
  });

  it('takes nothing that it does not know', () => {
    expect(parse({ more: 1, ...charon({ '../../evil': 'x' }) })).to.deep.equal(EVIDENCE);
  });

  it('is nothing when it is cut off or no object', () => {
    for (const text of ['', 'null', '[]', '5', JSON.stringify(EVIDENCE).slice(0, -1)])
      expect(parseEvidence(text), text).to.equal(undefined);
  });

  for (const [what, change] of [
    ['of another format', { format: 2 }],
    ['without charon', { charon: undefined }],
    ['with null for charon', { charon: null }],
    ['with a connection that is no section', charon({ connections: [1, null] })],
    ['with a number in a section', charon({ sas: [{ 'k8s-node-x': { uniqueid: 7 } }] })],
    ['without statistics', charon({ stats: undefined })],
    ['with a file that is no text', { file: { said: 5 } }],
    ['with a table whose name leads elsewhere', { guard: { said: { '../../../evil': '{}' } } }],
    ['with a list of tables', { guard: { said: [] } }],
    ['with a table that is no text', { guard: { said: { [TABLE]: {} } } }],
    ['with metrics that say nothing', { metrics: {} }],
  ] as const)
    it(`is nothing ${what}`, () => expect(parse(change)).to.equal(undefined));
});
