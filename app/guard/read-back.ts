// What stands in the kernel: which tables are ours, whether the one of our rules is whole, and what is in its sets. Out of
// nft's JSON, pure. Running nft: nft.ts. What to do about a difference: plan-guard.ts.
import { parsePrefix } from '../domain/ip.ts';
import { compareText } from '../domain/problem.ts';
import { ENFORCE_COMMENT, HELD_CHAIN, type Chain } from './chains.ts';
import { readCounters, type GuardCounters } from './counters.ts';
import { asFields, asList, asText, parseNftJson, type NftObject } from './json.ts';
import {
  mapSets,
  prefixElement,
  serviceElement,
  SET_NAMES,
  type Element,
  type GuardElements,
  type SetName,
} from './rows.ts';
import { serviceReader, type ServiceReader } from './services.ts';
import { parseTableName, type Ruleset, type TableName } from './ruleset.ts';

export interface GuardTable {
  readonly name: TableName;
  readonly mode: 'enforce' | 'observe';
  readonly elements: GuardElements;
  readonly counters: GuardCounters;
}

/**
 * `others`: names of further tables of ours, of another release or left behind; they hold until they are deleted.
 * `modified`: there is one with our rules' name, but somebody has changed it; `differences` says where.
 */
export type GuardState = { readonly others: readonly TableName[] } & (
  | { readonly kind: 'absent' }
  | { readonly kind: 'present'; readonly table: GuardTable }
  | { readonly kind: 'modified'; readonly differences: readonly string[] }
);

/** A table with our rules' name: whole, or where it differs. */
export type TableReading =
  { readonly table: GuardTable } | { readonly name: TableName; readonly differences: readonly string[] };

/** By set name; undefined where an element cannot be ours. */
type ElementsRead = ReadonlyMap<string, readonly (Element | undefined)[]>;

/** Names of our tables in the answer to `list tables`, sorted; undefined when the answer is no such thing. */
export function readTableNames(json: string): TableName[] | undefined {
  const tables = parseNftJson(json)?.filter(
    ({ kind, fields }) => kind === 'table' && fields['family'] === 'inet',
  );
  return tables
    ?.map(({ fields }) => parseTableName(asText(fields['name'])))
    .filter((name) => name !== undefined)
    .sort(compareText);
}

/** One table out of the answer to `list table`; undefined when the answer is unreadable. */
export function readTable(name: TableName, json: string, ruleset: Ruleset): TableReading | undefined {
  const objects = parseNftJson(json);
  if (objects === undefined) return undefined;
  const readService = serviceReader();
  const elements = elementsBySet(objects, readService);
  const differences = [...differingChains(objects, ruleset.chains), ...differingSets(elements)];
  if (differences.length > 0) return { name, differences };
  const mode = rulesOf(objects, HELD_CHAIN).length > 0 ? 'enforce' : 'observe';
  const counters = readCounters(objects, readService);
  return { table: { name, mode, elements: wholeElements(elements), counters } };
}

/** Puts readings of tables with our rules and names of the others together; of several whole tables the first counts. */
export function guardState(readings: readonly TableReading[], others: readonly TableName[]): GuardState {
  const table = readings.flatMap((reading) => ('table' in reading ? [reading.table] : []))[0];
  const names = readings.map((reading) => ('table' in reading ? reading.table.name : reading.name));
  const rest = [...others, ...names.filter((name) => name !== table?.name)].sort(compareText);
  if (table !== undefined) return { kind: 'present', table, others: rest };
  const differences = readings.flatMap((reading) => ('differences' in reading ? reading.differences : []));
  return differences.length > 0
    ? { kind: 'modified', differences, others: rest }
    : { kind: 'absent', others: rest };
}

/**
 * Hooks, priorities and the order of rules, which are known by their comments: how nft prints a rule differs by its version.
 * The chain of the mode has one rule or none.
 */
function differingChains(objects: readonly NftObject[], chains: readonly Chain[]): string[] {
  const listed = new Map(
    objects.filter(({ kind }) => kind === 'chain').map(({ fields }) => [asText(fields['name']), fields]),
  );
  const strange = [...listed.keys()].filter((name) => !chains.some((chain) => chain.name === name));
  const differing = chains.filter((chain) => {
    const fields = listed.get(chain.name);
    const rules = rulesOf(objects, chain.name).join('\n');
    const allowed =
      chain.name === HELD_CHAIN
        ? ['', ENFORCE_COMMENT]
        : [chain.rules.map((rule) => rule.comment).join('\n')];
    return (
      fields?.['hook'] !== chain.hook?.name ||
      fields?.['prio'] !== chain.hook?.priority ||
      !allowed.includes(rules)
    );
  });
  return [...strange, ...differing.map((chain) => chain.name)].map((name) => `chain ${name}`);
}

/** Sets that are missing, and those with an element that we cannot have made. */
function differingSets(elements: ElementsRead): string[] {
  const isWhole = (name: SetName): boolean => elements.get(name)?.includes(undefined) === false;
  return SET_NAMES.filter((name) => !isWhole(name)).map((name) => `set ${name}`);
}

/** The comments of a chain's rules, in order. */
function rulesOf(objects: readonly NftObject[], chain: string): string[] {
  const rules = objects.filter(({ kind, fields }) => kind === 'rule' && fields['chain'] === chain);
  return rules.map(({ fields }) => asText(fields['comment']));
}

function wholeElements(elements: ElementsRead): GuardElements {
  return mapSets((name) =>
    (elements.get(name) ?? []).filter((element) => element !== undefined).sort(compareText),
  );
}

function elementsBySet(objects: readonly NftObject[], readService: ServiceReader): ElementsRead {
  const sets = objects.filter(({ kind }) => kind === 'set');
  return new Map(
    sets.map(({ fields }) => {
      const name = asText(fields['name']);
      return [name, asList(fields['elem']).map((item) => readElement(name, item, readService))];
    }),
  );
}

function readElement(set: string, item: unknown, readService: ServiceReader): Element | undefined {
  const value = asFields(asFields(item)?.['elem'])?.['val'] ?? item;
  if (set.startsWith('pools')) return readPool(value);
  const service = readService(value);
  return service === undefined ? undefined : serviceElement(service);
}

/** nft prints a prefix as an object and one address as text. */
function readPool(value: unknown): Element | undefined {
  const fields = asFields(asFields(value)?.['prefix']);
  const text =
    fields === undefined ? withLength(asText(value)) : `${asText(fields['addr'])}/${String(fields['len'])}`;
  const prefix = parsePrefix(text);
  return prefix === undefined ? undefined : prefixElement(prefix);
}

function withLength(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}
