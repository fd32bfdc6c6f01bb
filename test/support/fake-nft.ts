// nft without a kernel: keeps the tables that our own commands make, applies a text whole or not at all, and lists JSON in the
// words of nft 1.0.6. A test may change the tables as somebody else on the host would, and let nft fail.
import { GuardError, type Nft } from '../../app/guard/nft.ts';

export interface FakeNft extends Nft {
  readonly tables: Map<string, FakeTable>;
  /** What was listed, `tables inet`; to be emptied by whoever counts. */
  readonly lists: string[];
  /** The next so many texts that match fail with this error; a list is the text `list table inet ...`. */
  fail(error: Error, options?: { readonly when?: RegExp; readonly times?: number }): void;
  /** The elements of a set of the one table, sorted; undefined when there is not exactly one. */
  elements(set: string): string[] | undefined;
  /** Packets towards an endpoint, `172.16.0.9 . 17 . 53`, of the one table. */
  count(element: string, packets: number): void;
  /** As `nft flush ruleset` does. */
  flushRuleset(): void;
}

export interface FakeTable {
  readonly chains: Map<string, { readonly hook?: string; readonly prio?: number; rules: string[] }>;
  /** Elements with their packets. */
  readonly sets: Map<string, Map<string, number>>;
  readonly counters: Map<string, number>;
}

type Tables = Map<string, FakeTable>;

/** `onApply` is told of each text that was applied, in short: `create`, `add endpoints4, add holding4`, `enforce`. */
export function fakeNft(onApply: (what: string) => void = () => undefined): FakeNft {
  const failures: { error: Error; when: RegExp; times: number }[] = [];
  const mayFail = (text: string): void => {
    const failure = failures.find(({ when, times }) => times > 0 && when.test(text));
    if (failure === undefined) return;
    failure.times -= 1;
    throw failure.error;
  };
  const nft: FakeNft = {
    tables: new Map(),
    lists: [],
    fail: (error, { when = /./, times = 1 } = {}) => failures.push({ error, when, times }),
    elements: (set) => {
      const [table, ...others] = nft.tables.values();
      return others.length > 0 ? undefined : table && [...(table.sets.get(set)?.keys() ?? [])].sort();
    },
    count: (element, packets) => {
      const [table] = nft.tables.values();
      table?.sets.get(element.includes(':') ? 'endpoints6' : 'endpoints4')?.set(element, packets);
    },
    flushRuleset: () => nft.tables.clear(),
    apply: async (text) => {
      await Promise.resolve();
      mayFail(text);
      const changed = structuredClone(nft.tables);
      for (const line of text.split('\n').filter((each) => each !== '')) run(changed, line);
      nft.tables.clear();
      for (const [name, table] of changed) nft.tables.set(name, table);
      onApply(inShort(text));
    },
    list: async (...words) => {
      await Promise.resolve();
      nft.lists.push(words.join(' '));
      mayFail(`list ${words.join(' ')}`);
      return JSON.stringify({ nftables: listing(nft.tables, words) });
    },
  };
  return nft;
}

function inShort(text: string): string {
  if (text.startsWith('create table')) return 'create';
  const words = text.split('\n').flatMap((line) => {
    const [verb = '', kind = '', , , name = ''] = line.split(' ');
    if (kind === 'element') return `${verb} ${name}`;
    return { rule: 'enforce', chain: 'observe', table: 'delete table' }[kind] ?? [];
  });
  return [...new Set(words)].join(', ');
}

function run(tables: Tables, line: string): void {
  const [verb = '', kind = '', , tableName = '', name = ''] = line.split(' ');
  if (verb === 'create') {
    if (tables.has(tableName)) throw refused(`table ${tableName} is there`);
    tables.set(tableName, { chains: new Map(), sets: new Map(), counters: new Map() });
    return;
  }
  const table = tables.get(tableName);
  if (table === undefined) throw refused(`no table ${tableName}`);
  if (kind === 'table') tables.delete(tableName);
  else if (kind === 'element') changeElements(table.sets.get(name), verb, elementsOf(line));
  else CHANGES[kind]?.(table, name, line);
}

const CHANGES: Readonly<Record<string, (table: FakeTable, name: string, line: string) => void>> = {
  counter: (table, name) => table.counters.set(name, 0),
  set: (table, name) => table.sets.set(name, new Map()),
  /** Added, or flushed: without rules either way. */
  chain: (table, name, line) => {
    const [, hook, prio] = /hook (\w+) priority (-?\d+)/.exec(line) ?? [];
    const known = table.chains.get(name);
    table.chains.set(name, { ...known, ...(hook && { hook, prio: Number(prio) }), rules: [] });
  },
  rule: (table, name, line) => table.chains.get(name)?.rules.push(/comment "(.*)"$/.exec(line)?.[1] ?? ''),
};

function elementsOf(line: string): string[] {
  return /\{ (.*) \}$/.exec(line)?.[1]?.split(', ') ?? [];
}

function changeElements(
  set: Map<string, number> | undefined,
  verb: string,
  elements: readonly string[],
): void {
  if (set === undefined || elements.length === 0) throw refused('no such set, or no elements');
  for (const element of elements) {
    if (verb === 'add' && !set.has(element)) set.set(element, 0);
    if (verb === 'delete' && !set.delete(element)) throw refused(`no element ${element}`);
  }
}

function refused(message: string): GuardError {
  return new GuardError('refused', message);
}

type Item = Record<string, Record<string, unknown>>;

function listing(tables: Tables, [what, family, name]: readonly string[]): Item[] {
  if (what === 'tables') return [...tables.keys()].map((each) => ({ table: { family, name: each } }));
  const table = tables.get(name ?? '');
  if (table === undefined) throw refused(`no table ${String(name)}`);
  return [
    ...[...table.counters].map(([counter, packets]) => ({ counter: { name: counter, packets, bytes: 0 } })),
    ...[...table.sets].map(([set, elements]) => ({
      set: { name: set, elem: [...elements].map(([text, packets]) => elementItem(set, text, packets)) },
    })),
    ...[...table.chains].map(([chain, { hook, prio }]) => ({ chain: { name: chain, hook, prio } })),
    ...[...table.chains].flatMap(([chain, { rules }]) =>
      rules.map((comment) => ({ rule: { chain, comment } })),
    ),
  ];
}

function elementItem(set: string, text: string, packets: number): unknown {
  if (set.startsWith('pools')) {
    const [addr, len] = text.split('/');
    return len === undefined ? addr : { prefix: { addr, len: Number(len) } };
  }
  const [addressText, protocol, port] = text.split(' . ');
  const concat = { concat: [addressText, Number(protocol), Number(port)] };
  return { elem: { val: concat, counter: { packets, bytes: 0 } } };
}
