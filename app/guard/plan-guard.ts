// From what should stand in the kernel and what stands there to nft commands. Pure. The caller puts its own steps (children,
// start actions) between the parts; running the texts: nft.ts.
import type { GuardMode } from '../domain/facts.ts';
import type { GuardRows } from '../domain/host-config.ts';
import type { GuardState, GuardTable } from './read-back.ts';
import {
  diffElements,
  guardElements,
  pick,
  poolsOverlap,
  SET_NAMES,
  type Element,
  type GuardElements,
  type SetKind,
} from './rows.ts';
import {
  createTable,
  deleteTable,
  enforceCommand,
  observeCommand,
  tableName,
  type Ruleset,
  type TableName,
} from './ruleset.ts';

/**
 * Parts in the order in which they are safe to apply; each text is one transaction. All empty: nothing to do.
 * ```
 * create    a whole new table with all its elements: none is there, or a changed one
 * add       pools; endpoints new to this host, which hold from their first moment if they should   before children
 * hold      endpoints that were only counted, cluster IPs, mode enforce                           after traps
 * release   endpoints that go on being counted, cluster IPs, mode observe             before children let go of their flows
 * remove    what is not protected any more, tables of other releases, all in mode off              after children
 * ```
 */
export interface GuardPlan {
  readonly create: readonly string[];
  readonly add: readonly string[];
  readonly hold: readonly string[];
  readonly release: readonly string[];
  readonly remove: readonly string[];
}

export interface DesiredGuard {
  readonly mode: GuardMode;
  readonly rows: GuardRows;
  readonly ruleset: Ruleset;
}

const NOTHING: GuardPlan = { create: [], add: [], hold: [], release: [], remove: [] };
/** A statement and a transaction of this size stay far below what one netlink message and one second can take. */
const STATEMENT_ELEMENTS = 500;
const TRANSACTION_ELEMENTS = 5_000;

/**
 * A table that is not as it should be is never repaired or replaced in place, which would let packets through: another one is
 * created beside it and filled, both hold for a moment, then the old one is deleted.
 */
export function planGuard(desired: DesiredGuard, actual: GuardState): GuardPlan {
  const tables = actual.kind === 'present' ? [...actual.others, actual.table.name] : actual.others;
  if (desired.mode === 'off') return { ...NOTHING, remove: tables.map(deleteTable) };
  const remove = actual.others.map(deleteTable);
  if (actual.kind !== 'present') return { ...NOTHING, create: planCreation(desired, tables), remove };
  const change = planChange(desired, actual.table);
  return { ...change, remove: [...change.remove, ...remove] };
}

/** All texts of a plan in order, for a caller with nothing to do in between. */
export function planTexts(plan: GuardPlan): string[] {
  return [...plan.create, ...plan.add, ...plan.hold, ...plan.release, ...plan.remove];
}

function planCreation({ mode, rows, ruleset }: DesiredGuard, tables: readonly TableName[]): string[] {
  let number = 0;
  while (tables.includes(tableName(ruleset, number))) number += 1;
  const name = tableName(ruleset, number);
  return transactions([
    ...createTable(name, ruleset).map(command),
    ...(mode === 'enforce' ? [command(enforceCommand(name))] : []),
    ...additions(name, guardElements(rows)),
  ]);
}

function planChange({ mode, rows }: DesiredGuard, { name, ...actual }: GuardTable): GuardPlan {
  const { added, removed } = diffElements(guardElements(rows), actual.elements);
  const incoming = split(added);
  const outgoing = split(removed);
  const isInTheWay = (pool: Element): boolean => pools(added).some((other) => poolsOverlap(pool, other));
  const blocking = pick(removed, (kind, element) => kind === 'pools' && isInTheWay(element));
  return {
    create: [],
    add: transactions([...removals(name, blocking), ...additions(name, incoming.rows)]),
    hold: transactions([
      ...additions(name, incoming.holds),
      ...(mode === 'enforce' && actual.mode === 'observe' ? [command(enforceCommand(name))] : []),
    ]),
    release: transactions([
      ...(mode === 'observe' && actual.mode === 'enforce' ? [command(observeCommand(name))] : []),
      ...removals(name, outgoing.holds),
    ]),
    remove: transactions(
      removals(
        name,
        pick(outgoing.rows, (kind, element) => kind !== 'pools' || !isInTheWay(element)),
      ),
    ),
  };
}

/** `holds`: of endpoints that stay, and cluster IPs, of which nobody knows; `rows`: pools, endpoints and what these hold. */
function split(elements: GuardElements): { readonly rows: GuardElements; readonly holds: GuardElements } {
  const endpoints = new Set([...elements.endpoints4, ...elements.endpoints6]);
  const isHold = (kind: SetKind, element: Element): boolean =>
    kind === 'cluster_ips' || (kind === 'holding' && !endpoints.has(element));
  return {
    rows: pick(elements, (kind, element) => !isHold(kind, element)),
    holds: pick(elements, isHold),
  };
}

function pools(elements: GuardElements): Element[] {
  return [...elements.pools4, ...elements.pools6];
}

interface Statement {
  readonly text: string;
  readonly elements: number;
}

function command(text: string): Statement {
  return { text, elements: 0 };
}

/** Pools first: without them nothing holds. */
function additions(name: TableName, elements: GuardElements): Statement[] {
  return SET_NAMES.flatMap((set) => statements(`add element inet ${name} ${set}`, elements[set]));
}

function removals(name: TableName, elements: GuardElements): Statement[] {
  return [...SET_NAMES]
    .reverse()
    .flatMap((set) => statements(`delete element inet ${name} ${set}`, elements[set]));
}

function statements(verb: string, elements: readonly Element[]): Statement[] {
  return chunks(elements, STATEMENT_ELEMENTS).map((chunk) => ({
    text: `${verb} { ${chunk.join(', ')} }`,
    elements: chunk.length,
  }));
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}

function transactions(list: readonly Statement[]): string[] {
  const texts: string[][] = [];
  let room = 0;
  for (const { text, elements } of list) {
    const last = texts.at(-1);
    if (last === undefined || elements > room) {
      texts.push([text]);
      room = TRANSACTION_ELEMENTS - elements;
    } else {
      last.push(text);
      room -= elements;
    }
  }
  return texts.map((lines) => `${lines.join('\n')}\n`);
}
