// A builder of what `nft --json list table` prints of a guard's table, in the words of nft 1.0.6.
import type { Chain } from '../../../app/guard/chains.ts';
import { SET_NAMES } from '../../../app/guard/rows.ts';
import type { Ruleset } from '../../../app/guard/ruleset.ts';

export type NftItem = Record<string, Record<string, unknown>>;

export interface ListOptions {
  readonly sets?: Readonly<Record<string, unknown>>;
  readonly counters?: readonly NftItem[];
  readonly isEnforced?: boolean;
}

/** A whole table, as a list that a test may change before it is made JSON. */
export function listTable(
  ruleset: Ruleset,
  { sets = {}, counters = [], isEnforced = true }: ListOptions = {},
): NftItem[] {
  return [
    { metainfo: { version: '1.0.6' } },
    { table: { family: 'inet', name: 'whatever', handle: 1 } },
    ...counters,
    ...SET_NAMES.map((name) => ({ set: { name, ...(name in sets ? { elem: sets[name] } : {}) } })),
    ...ruleset.chains.map(chainItem),
    ...ruleset.chains.flatMap((chain) => chain.rules.map(({ comment }) => ruleItem(chain.name, comment))),
    ...(isEnforced ? [ruleItem('held', 'enforce')] : []),
  ];
}

export function ruleItem(chain: string, comment: string): NftItem {
  return { rule: { chain, comment, expr: [] } };
}

export function counterItem(name: string, packets: unknown): NftItem {
  return { counter: { name, packets, bytes: 0 } };
}

export function asJson(items: readonly NftItem[]): string {
  return JSON.stringify({ nftables: items });
}

function chainItem({ name, hook }: Chain): NftItem {
  return {
    chain: {
      name,
      ...(hook === undefined ? {} : { hook: hook.name, prio: hook.priority, policy: 'accept' }),
    },
  };
}
