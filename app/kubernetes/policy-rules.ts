// Would the API server take this IPsecPolicy? The rules of the chart's CRD without an API server, for `plan`: its schema by ajv,
// its CEL rules by the four forms that they have. That both decide alike is tested against a real one (crds.test.ts).
import type { SchemaObject, ValidateFunction } from 'ajv';
import { fieldPath, schemaSentences } from '../runtime/schema-errors.ts';
import spec from './policy-schema.json' with { type: 'json' };
import { apiVersion, POLICIES } from './resources.ts';
import { compileThorough, objectOf } from './schema.ts';

interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly messageExpression?: string;
}

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly 'x-kubernetes-validations'?: readonly CelRule[];
}

/** Name and spec; status is ours. A DNS subdomain: 253 characters at most. */
const POLICY: SchemaObject = objectOf(
  {
    apiVersion: { const: apiVersion(POLICIES) },
    kind: { const: POLICIES.kind },
    metadata: objectOf({ name: { type: 'string', maxLength: 253 } }, ['name']),
    spec,
  },
  ['apiVersion', 'kind', 'metadata', 'spec'],
);

const DNS_SUBDOMAIN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** Why the API server would refuse the object, each with the field and what to write; empty when it would take it. */
export function policyRefusals(object: unknown): string[] {
  const matches: ValidateFunction<PolicyText> = compileThorough(POLICY);
  // Like the API server: rules are for what has the right shape.
  if (!matches(object)) return schemaSentences(matches.errors);
  const { name } = object.metadata;
  const refusals = celRefusals(spec, object.spec, '/spec');
  return DNS_SUBDOMAIN.test(name)
    ? refusals
    : [`metadata.name must not be ${JSON.stringify(name)}: write ${NAME_HELP}`, ...refusals];
}

const NAME_HELP = 'lower-case letters, digits, "-" and ".", with a letter or digit at both ends, e.g. dns';

interface PolicyText {
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

/** Fields that the CRD does not know: the API server drops them, and `kubectl apply` refuses them. */
export function unknownFields(object: unknown): string[] {
  return strangers(spec as Node, (object as { readonly spec?: unknown }).spec, '/spec').map(fieldPath);
}

function strangers(node: Node, value: unknown, pointer: string): string[] {
  if (Array.isArray(value))
    return value.flatMap((item: unknown, index) => strangers(node.items ?? {}, item, `${pointer}/${index}`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const at = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const known = node.properties?.[key];
    return known === undefined ? [at] : strangers(known, child, at);
  });
}

function celRefusals(node: Node, value: unknown, pointer: string): string[] {
  const own = (node['x-kubernetes-validations'] ?? [])
    .filter(({ rule }) => !celHolds(rule, value))
    .map((rule) => `${fieldPath(pointer)}: ${messageOf(rule, value)}`);
  const below = Array.isArray(value)
    ? value.flatMap((item: unknown, index) => celRefusals(node.items ?? {}, item, `${pointer}/${index}`))
    : Object.entries(node.properties ?? {}).flatMap(([key, child]) =>
        celRefusals(child, (value as Readonly<Record<string, unknown>>)[key], `${pointer}/${key}`),
      );
  return [...own, ...below];
}

/** Throws on a rule that has none of the forms: it must not count as kept (policy-rules.test.ts looks at each of the CRD). */
export function celHolds(rule: string, self: unknown): boolean {
  const matched = /^(self|\(self \+ ','\))\.matches\('([^'\\]*)'\)$/.exec(rule);
  // RE2 and JavaScript agree on what these expressions use; `$` is the end of the text in both.
  if (matched !== null)
    return new RegExp(matched[2] ?? '', 'u').test(`${String(self)}${matched[1] === 'self' ? '' : ','}`);
  const list = self as readonly { readonly name: string }[];
  switch (rule) {
    case 'self.size() > 0':
      return list.length > 0;
    case 'self.all(row, self.exists_one(other, other.name == row.name))':
      return new Set(list.map(({ name }) => name)).size === list.length;
    default:
      throw new Error(`the CRD has a rule of a new form: ${rule}`);
  }
}

/** `'"' + self + '" cannot ...'` is the only form of expression; the message when there is none. */
function messageOf({ message, messageExpression }: CelRule, self: unknown): string {
  const rest = /^'"' \+ self \+ '(" [^']*)'$/.exec(messageExpression ?? '')?.[1];
  return rest === undefined ? message : `"${String(self)}${rest}`;
}
