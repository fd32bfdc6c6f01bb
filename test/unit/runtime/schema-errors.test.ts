import { Ajv, type SchemaObject } from 'ajv';
import { expect } from 'chai';
import { fieldPath, schemaSentences } from '../../../app/runtime/schema-errors.ts';

function said(schema: SchemaObject, value: unknown): string[] {
  const validate = new Ajv({ verbose: true, allErrors: true, allowUnionTypes: true }).compile(schema);
  validate(value);
  return schemaSentences(validate.errors);
}

const ROWS: SchemaObject = {
  type: 'object',
  properties: {
    rows: {
      type: 'array',
      maxItems: 2,
      items: { type: 'object', properties: { name: { type: 'string', maxLength: 3 } }, required: ['name'] },
    },
  },
};

describe('schemaSentences', () => {
  for (const { schema, value, says } of [
    { schema: ROWS, value: { rows: [{}] }, says: 'rows[0].name is missing' },
    { schema: ROWS, value: { rows: [{ name: 5 }] }, says: 'rows[0].name must be text, not 5' },
    { schema: ROWS, value: { rows: [{ name: null }] }, says: 'rows[0].name must be text, not null' },
    { schema: ROWS, value: { rows: 'a' }, says: 'rows must be a list, not "a"' },
    { schema: ROWS, value: { rows: [[]] }, says: 'rows[0] must be an object with fields, not a list' },
    {
      schema: ROWS,
      value: { rows: [{ name: '🔒🔒🔒🔒' }] },
      says: 'rows[0].name has 4 characters, at most 3 are allowed',
    },
    {
      schema: ROWS,
      value: { rows: Array.from({ length: 3 }, () => ({ name: 'a' })) },
      says: 'rows has 3 entries, at most 2 are allowed',
    },
    { schema: ROWS, value: 7, says: 'it must be an object with fields, not 7' },
    {
      schema: { type: ['string', 'integer'] },
      value: true,
      says: 'it must be text or a whole number, not true',
    },
    { schema: { enum: ['a', 'b'] }, value: 'c', says: 'it must be one of a, b, not "c"' },
    { schema: { const: 'v1' }, value: 'v2', says: 'it must be v1, not "v2"' },
    { schema: { type: 'integer', minimum: 3 }, value: 1, says: 'it must be at least 3, not 1' },
    { schema: { type: 'integer', maximum: 3 }, value: 9, says: 'it must be at most 3, not 9' },
    { schema: { type: 'string', minLength: 1 }, value: '', says: 'it must not be empty' },
    { schema: { type: 'string', pattern: '^a$' }, value: 'b\nc', says: 'it must not be "b\\nc"' },
    {
      schema: { type: 'object', properties: {}, additionalProperties: false },
      value: { 'a/b': 1 },
      says: '["a/b"] is no field that is known here',
    },
  ])
    it(says, () => {
      expect(said(schema, value)).to.deep.equal([says]);
    });

  it('shows no more than the beginning of what was written', () => {
    expect(said({ enum: ['a'] }, 'x'.repeat(5000))[0]).to.have.lengthOf.below(100);
  });

  it('says nothing of no error', () => {
    expect(schemaSentences(null)).to.deep.equal([]);
  });
});

describe('fieldPath', () => {
  for (const [pointer, path] of [
    ['', ''],
    ['/spec/policies/0/name', 'spec.policies[0].name'],
    ['/metadata/labels/a.b~1c~0d', 'metadata.labels["a.b/c~d"]'],
  ] as const)
    it(`"${pointer}" is "${path}"`, () => {
      expect(fieldPath(pointer)).to.equal(path);
    });
});
