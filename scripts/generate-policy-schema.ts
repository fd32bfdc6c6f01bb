// Writes app/kubernetes/policy-schema.json: the schema of IPsecPolicy's spec as the chart's CRD has it, for `plan`, which
// applies it without an API server. `node scripts/generate-policy-schema.ts`; a test fails when what is committed is not that.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';

const root = join(import.meta.dirname, '..');
export const POLICY_SCHEMA_FILE = join(root, 'app/kubernetes/policy-schema.json');

interface Crd {
  readonly spec: {
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: { readonly properties: { readonly spec: object } } };
    }[];
  };
}

/** The text of the file. Throws when the CRD has no v1. */
export function policySchemaText(): string {
  const file = join(root, 'charts/ipsec-policy-operator/templates/crd-ipsecpolicies.yaml');
  const crd = load(readFileSync(file, 'utf8')) as Crd;
  const version = crd.spec.versions.find(({ name }) => name === 'v1');
  if (version === undefined) throw new Error(`${file} has no version v1`);
  return `${JSON.stringify(version.schema.openAPIV3Schema.properties.spec, undefined, 2)}\n`;
}

if (import.meta.main) writeFileSync(POLICY_SCHEMA_FILE, policySchemaText());
