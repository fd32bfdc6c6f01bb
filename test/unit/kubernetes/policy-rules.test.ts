// The offline rules against the samples that the real API server is asked about too (crds.test.ts).
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { celHolds, policyRefusals, unknownFields } from '../../../app/kubernetes/policy-rules.ts';
import { POLICY_SCHEMA_FILE, policySchemaText } from '../../../scripts/generate-policy-schema.ts';
import { policyObject } from '../../support/kubernetes-objects.ts';
import { ACCEPTED, ACCEPTED_OBJECTS, REFUSED, REFUSED_OBJECTS } from '../../support/policy-samples.ts';

const refusals = (object: object): string[] =>
  policyRefusals({ apiVersion: 'starlingx.io/v1', kind: 'IPsecPolicy', ...object });

describe('policyRefusals', () => {
  it('reads the schema that the chart has (else: node scripts/generate-policy-schema.ts)', () => {
    expect(readFileSync(POLICY_SCHEMA_FILE, 'utf8')).to.equal(policySchemaText());
  });

  it('knows the form of every rule of the chart, and takes no other one for kept', () => {
    const rules = [...policySchemaText().matchAll(/"rule": (".*"),?$/gm)].map(
      ([, text = '']) => JSON.parse(text) as string,
    );
    expect(rules).to.have.length(6);
    for (const rule of rules)
      expect(() => celHolds(rule, rule.includes('size') || rule.includes('all') ? [] : 'x')).not.to.throw();
    expect(() => celHolds('self.size() > 1', [])).to.throw('a rule of a new form');
  });

  for (const { what, rows } of ACCEPTED)
    it(`takes ${what}`, () => {
      expect(refusals(policyObject('p', rows))).to.deep.equal([]);
    });
  for (const { what, object } of ACCEPTED_OBJECTS)
    it(`takes ${what}`, () => {
      expect(refusals(object)).to.deep.equal([]);
    });

  for (const { what, rows, says } of REFUSED)
    it(`refuses ${what}`, () => {
      const [said = ''] = refusals(policyObject('p', rows));
      // Of lengths the API server speaks in words of its own.
      if (/Too (long|many)/.test(says)) expect(said).to.match(/are allowed$/);
      else expect(said).to.contain(says);
    });
  for (const { what, object, field } of REFUSED_OBJECTS)
    it(`refuses ${what}`, () => {
      expect(refusals(object)[0]).to.contain(field);
    });

  it('refuses another version', () => {
    expect(refusals({ ...policyObject('p'), apiVersion: 'starlingx.io/v1alpha1' })).to.deep.equal([
      'apiVersion must be starlingx.io/v1, not "starlingx.io/v1alpha1"',
    ]);
  });

  it('names all that is wrong at once', () => {
    expect(refusals({ metadata: {}, spec: { policies: [{ servicens: 5 }] } })).to.deep.equal([
      'metadata.name is missing',
      'spec.policies[0].name is missing',
      'spec.policies[0].servicename is missing',
      'spec.policies[0].serviceports is missing',
      'spec.policies[0].servicens must be text, not 5',
    ]);
  });

  it('names the value, as the API server does', () => {
    expect(refusals(policyObject('p', [{ serviceports: 'tcp/53,icmp/1' }]))).to.deep.equal([
      'spec.policies[0].serviceports: "tcp/53,icmp/1" is not a list of ports: write protocol/port pairs separated by single commas, without blanks, e.g. udp/53,tcp/9153: the protocol is tcp, udp or sctp in lower case, the port a number from 1 to 65535',
    ]);
  });
});

describe('unknownFields', () => {
  it('names what the CRD does not know, at any depth', () => {
    const object = { spec: { mode: 'x', policies: [{ name: 'a' }, { name: 'b', servicenamespace: 'c' }] } };
    expect(unknownFields(object)).to.deep.equal(['spec.mode', 'spec.policies[1].servicenamespace']);
  });

  it('finds none in what has no spec', () => {
    expect(unknownFields({})).to.deep.equal([]);
  });
});
