// What one host has, as it says itself at one moment: charon's listings, the text of our file, our nftables tables, the agent's
// metrics. Raw, so that `verify` can judge it and `support-bundle` keep it. It holds no key and no certificate: none of these
// sources has one. How it is taken: inspect-command.ts; how it gets to who asks: ask-host.ts.
import { parseTableName } from '../guard/ruleset.ts';
import type { Tree } from '../swanctl/tree.ts';
import type { CharonVersion } from '../vici/charon.ts';

/** One source: what it said, or why it did not. */
export type Answer<T> = { readonly said: T } | { readonly failed: string };

export interface Evidence {
  /** Changed when an older reader could misread it. */
  readonly format: 1;
  readonly host: string;
  /** RFC 3339, by the host's clock. */
  readonly takenAt: string;
  /** Interfaces of the host's pods: a rule of the guard names them. */
  readonly localInterfaces: string;
  readonly charon: Answer<CharonEvidence>;
  /** The file's text; empty when there is none. */
  readonly file: Answer<string>;
  /** By name: what nft prints of each table of ours, as JSON. */
  readonly guard: Answer<Readonly<Record<string, string>>>;
  readonly metrics: Answer<string>;
}

export interface CharonEvidence {
  readonly version: CharonVersion;
  readonly connections: readonly Tree[];
  readonly sas: readonly Tree[];
  readonly policies: readonly Tree[];
  readonly stats: Tree;
}

/**
 * Of the text that `inspect` prints; undefined when it is anything else. It comes from a pod, of whatever version and whoever made
 * it: each field has its type, and nothing is taken that is not named here.
 */
export function parseEvidence(text: string): Evidence | undefined {
  const value = fieldsOf(parsed(text));
  const { host, takenAt, localInterfaces } = value;
  if (value['format'] !== 1 || !isText(host) || !isText(takenAt) || !isText(localInterfaces))
    return undefined;
  const charon = answerOf(value['charon'], charonOf);
  const file = answerOf(value['file'], textOf);
  const guard = answerOf(value['guard'], tablesOf);
  const metrics = answerOf(value['metrics'], textOf);
  if (charon === undefined || file === undefined || guard === undefined || metrics === undefined)
    return undefined;
  return { format: 1, host, takenAt, localInterfaces, charon, file, guard, metrics };
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function answerOf<T>(value: unknown, read: (said: unknown) => T | undefined): Answer<T> | undefined {
  const { said, failed } = fieldsOf(value);
  if (isText(failed)) return { failed };
  const known = read(said);
  return known === undefined ? undefined : { said: known };
}

function charonOf(value: unknown): CharonEvidence | undefined {
  const { version, connections, sas, policies, stats } = fieldsOf(value);
  if (!isTree(version) || !isTrees(connections) || !isTrees(sas) || !isTrees(policies) || !isTree(stats))
    return undefined;
  return { version: version as unknown as CharonVersion, connections, sas, policies, stats };
}

/** A name becomes the name of a file in a bundle: those of our tables alone. */
function tablesOf(value: unknown): Readonly<Record<string, string>> | undefined {
  const tables = Object.entries(fieldsOf(value));
  const isOurs = ([name, json]: [string, unknown]): boolean =>
    parseTableName(name) !== undefined && isText(json);
  return isFields(value) && tables.every(isOurs)
    ? (Object.fromEntries(tables) as Record<string, string>)
    : undefined;
}

function textOf(value: unknown): string | undefined {
  return isText(value) ? value : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTrees(value: unknown): value is readonly Tree[] {
  return Array.isArray(value) && value.every(isTree);
}

function isTree(value: unknown): value is Tree {
  return (
    isFields(value) &&
    Object.values(value).every((one) => isText(one) || (Array.isArray(one) ? one.every(isText) : isTree(one)))
  );
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}
