// What a schema found wrong, in words: where, what was there, what is allowed. ajv finds it (with `verbose`); who reads the
// sentence - a user, an operator, support - knows no JSON schema and no regular expression.
import type { ErrorObject } from 'ajv';

/** One sentence part for each error, e.g. `spec.policies[0].servicename is missing`; the order of ajv, each once. */
export function schemaSentences(errors: readonly ErrorObject[] | null | undefined): string[] {
  return [...new Set((errors ?? []).map(sentence))];
}

/** `/spec/policies/0/name` as people write it: `spec.policies[0].name`. Empty for the whole. */
export function fieldPath(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? `[${part}]` : /^\w+$/.test(part) ? `.${part}` : `["${part}"]`))
    .join('')
    .replace(/^\./, '');
}

type Params = Readonly<Record<string, unknown>>;

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object with fields',
};

/** By ajv's keyword: what is to be said behind the field. */
const SAYINGS: Readonly<Record<string, (params: Params, data: unknown) => string>> = {
  type: (params, data) => `must be ${typeWords(params)}, not ${shownValue(data)}`,
  enum: (params, data) => `must be one of ${list(params['allowedValues'])}, not ${shownValue(data)}`,
  const: (params, data) => `must be ${String(params['allowedValue'])}, not ${shownValue(data)}`,
  minimum: (params, data) => `must be at least ${String(params['limit'])}, not ${shownValue(data)}`,
  maximum: (params, data) => `must be at most ${String(params['limit'])}, not ${shownValue(data)}`,
  minLength: () => 'must not be empty',
  maxLength: ({ limit }, data) => `has ${length(data)} characters, at most ${String(limit)} are allowed`,
  maxItems: ({ limit }, data) => `has ${length(data)} entries, at most ${String(limit)} are allowed`,
  minItems: ({ limit }, data) => `has ${length(data)} entries, at least ${String(limit)} are needed`,
  pattern: (_params, data) => `must not be ${shownValue(data)}`,
};

function sentence({ keyword, instancePath, params, data, message }: ErrorObject): string {
  const named = params as Params;
  if (keyword === 'required') return `${joined(instancePath, named['missingProperty'])} is missing`;
  if (keyword === 'additionalProperties')
    return `${joined(instancePath, named['additionalProperty'])} is no field that is known here`;
  const saying = SAYINGS[keyword]?.(named, data) ?? message ?? keyword;
  return `${fieldPath(instancePath) || 'it'} ${saying}`;
}

function joined(pointer: string, property: unknown): string {
  return fieldPath(`${pointer}/${String(property).replaceAll('~', '~0').replaceAll('/', '~1')}`);
}

/** ajv gives one type, or a list of them. */
function typeWords({ type }: Params): string {
  const types = (Array.isArray(type) ? type : [type]).map(String);
  return types.map((name) => TYPES[name] ?? name).join(' or ');
}

function list(values: unknown): string {
  return Array.isArray(values) ? values.map(String).join(', ') : String(values);
}

function length(data: unknown): number {
  return typeof data === 'string' ? Array.from(data).length : Array.isArray(data) ? data.length : 0;
}

const SHOWN_CHARACTERS = 60;

/** What was written: short, on one line. */
export function shownValue(data: unknown): string {
  if (Array.isArray(data)) return 'a list';
  if (typeof data === 'object' && data !== null) return 'an object';
  const text = JSON.stringify(data) as string | undefined;
  if (text === undefined) return 'nothing';
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}..."` : text;
}
