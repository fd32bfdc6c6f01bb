// From `unknown` to a domain value: ajv checks the shape, the reader of the kind converts. What cannot be read is
// reported with its reason, never thrown away silently and never half used.
import { Ajv, type Options, type SchemaObject, type ValidateFunction } from 'ajv';
import type { HostName } from '../domain/facts.ts';
import { parseAddress, parsePrefix, type Address, type Prefix } from '../domain/ip.ts';
import { schemaSentences } from '../runtime/schema-errors.ts';
import { parsePort, PROTOCOLS, type Port, type Protocol } from '../domain/ports.ts';

/** ignored: an object that is none of our business (a slice without a service, a block marked as deleted). */
export type Reading<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'unreadable'; readonly message: string };

export type Reader<T> = (object: unknown) => Reading<T>;

/** What every object has; names are `namespace/name` for namespaced kinds. */
export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export const TEXT: SchemaObject = { type: 'string' };
export const INTEGER: SchemaObject = { type: 'integer' };
export const TEXT_MAP: SchemaObject = { type: 'object', additionalProperties: TEXT };

/** A schema of an object with these properties, others allowed; those of `required` must be there. */
export function objectOf(
  properties: Readonly<Record<string, SchemaObject>>,
  required: readonly string[],
): SchemaObject {
  return { type: 'object', properties, required };
}

export function listOf(items: SchemaObject): SchemaObject {
  return { type: 'array', items };
}

/** Go leaves out or nulls what is empty. */
export function optional(schema: SchemaObject): SchemaObject {
  return { ...schema, nullable: true };
}

export const METADATA: SchemaObject = objectOf(
  {
    name: TEXT,
    namespace: TEXT,
    uid: TEXT,
    resourceVersion: TEXT,
    generation: INTEGER,
    creationTimestamp: TEXT,
    labels: optional(TEXT_MAP),
  },
  ['name', 'uid', 'resourceVersion'],
);

/** Thrown by the conversions below, caught by `makeReader` alone. */
class Unreadable extends Error {}

type Conversion<Raw, T> = (raw: Raw) => T | undefined;

/** A reader of objects of this shape; `convert` gives undefined for what is none of our business. */
export function makeReader<Raw, T>(schema: SchemaObject, convert: Conversion<Raw, T>): Reader<T> {
  const isRaw = compileOnce<Raw>(schema);
  return (object) => {
    if (!isRaw(object)) return { kind: 'unreadable', message: schemaSentences(isRaw.errors).join(', ') };
    try {
      const value = convert(object);
      return value === undefined ? { kind: 'ignored' } : { kind: 'value', value };
    } catch (error) {
      if (error instanceof Unreadable) return { kind: 'unreadable', message: error.message };
      throw error;
    }
  };
}

/** Whether a value has this shape; the first thing that is wrong stands in `errors`. The same schema is compiled once. */
function compileOnce<Raw>(schema: SchemaObject): ValidateFunction<Raw> {
  shared ??= new Ajv(AJV_OPTIONS);
  return shared.compile<Raw>(schema);
}

/** The same for a person who is going to mend it: `errors` has all that is wrong. */
export function compileThorough<Raw>(schema: SchemaObject): ValidateFunction<Raw> {
  thorough ??= new Ajv({ ...AJV_OPTIONS, allErrors: true });
  return thorough.compile<Raw>(schema);
}

/** One for all readers, made at first use. */
let shared: Ajv | undefined;
let thorough: Ajv | undefined;

const AJV_OPTIONS: Options = {
  allowUnionTypes: true,
  // Our schemas are constants, so they are not checked against the meta-schema: compiling that one took a third of a second at each
  // start, and 25 MB (test/bench/manager.ts).
  meta: false,
  validateSchema: false,
  // Values go into the sentences.
  verbose: true,
  // Of a CRD's schema; policy-rules.ts looks at them.
  keywords: ['x-kubernetes-list-type', 'x-kubernetes-validations'],
};

export function unreadable(message: string): never {
  throw new Unreadable(message);
}

export function toAddress(text: string): Address {
  return parseAddress(text) ?? unreadable(`"${text}" is not an IP address`);
}

export function toPrefix(text: string): Prefix {
  return parsePrefix(text) ?? unreadable(`"${text}" is not a prefix with zero host bits`);
}

export function toPort(text: string): Port {
  return parsePort(text) ?? unreadable(`"${text}" is not a port such as tcp/53`);
}

/** A DNS subdomain, as every Node's name is. */
export function toHostName(text: string): HostName {
  const valid = text.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text);
  return valid ? (text as HostName) : unreadable(`"${text.slice(0, 64)}" is not a host name`);
}

/** Kubernetes writes TCP, UDP or SCTP, and nothing for TCP. */
export function toProtocol(text: string | null | undefined): Protocol {
  const lower = (text ?? 'TCP').toLowerCase();
  return PROTOCOLS.find((protocol) => protocol === lower) ?? unreadable(`"${lower}" is not a protocol`);
}
