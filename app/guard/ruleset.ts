// The guard's table as text: how it is named and created. Pure. Its rules: chains.ts; its elements: rows.ts; when a table is
// created, filled and deleted: plan-guard.ts.
//
// Measured: additions and removals of single elements lose nothing and let nothing through; a table that is deleted and made
// again in one transaction leaks. So a table is created once and its rules never change: its name carries a hash of them, and
// another release's table is a second one, filled before the first is deleted. No `flags owner`: it would go with the process.
import { createHash } from 'node:crypto';
import { DROP_COUNTERS, ENFORCE_COMMENT, guardChains, HELD_CHAIN, type Chain } from './chains.ts';
import { SET_NAMES, type SetName } from './rows.ts';

/** `ipsec_policy_guard_<hash of the rules>_<number>`. */
export type TableName = string & { readonly __brand: 'GuardTableName' };

export interface Ruleset {
  readonly hash: string;
  readonly chains: readonly Chain[];
}

/** `localInterfaces`: see guardChains. */
export function guardRuleset(localInterfaces: string): Ruleset {
  const chains = guardChains(localInterfaces);
  const text = createCommands('hashed' as TableName, chains).join('\n');
  return { hash: createHash('sha256').update(text).digest('hex').slice(0, 8), chains };
}

/** `number`: any that no table of the same rules has yet. */
export function tableName(ruleset: Ruleset, number: number): TableName {
  return `ipsec_policy_guard_${ruleset.hash}_${number}` as TableName;
}

/** The name as ours, or undefined for a stranger's table. */
export function parseTableName(name: string): TableName | undefined {
  return /^ipsec_policy_guard_[0-9a-f]{8}_\d{1,6}$/.test(name) ? (name as TableName) : undefined;
}

/** True when a table of this name was made with these rules; whether it still has them is seen by reading it. */
export function isOfRuleset(name: TableName, ruleset: Ruleset): boolean {
  return name.startsWith(`ipsec_policy_guard_${ruleset.hash}_`);
}

/** Commands that create the table without elements and without holding anything. They fail when the table exists. */
export function createTable(name: TableName, ruleset: Ruleset): string[] {
  return createCommands(name, ruleset.chains);
}

/** From now on what is held is dropped. */
export function enforceCommand(name: TableName): string {
  return `add rule inet ${name} ${HELD_CHAIN} drop comment "${ENFORCE_COMMENT}"`;
}

/** From now on what is held is only counted. */
export function observeCommand(name: TableName): string {
  return `flush chain inet ${name} ${HELD_CHAIN}`;
}

export function deleteTable(name: TableName): string {
  return `delete table inet ${name}`;
}

function createCommands(name: TableName, chains: readonly Chain[]): string[] {
  return [
    `create table inet ${name}`,
    ...DROP_COUNTERS.map((counter) => `add counter inet ${name} ${counter}`),
    ...SET_NAMES.map((set) => `add set inet ${name} ${set} { ${setType(set)} }`),
    ...chains.map((chain) => `add chain inet ${name} ${chain.name}${hookText(chain)}`),
    ...chains.flatMap((chain) =>
      chain.rules.map((rule) => `add rule inet ${name} ${chain.name} ${rule.text} comment "${rule.comment}"`),
    ),
  ];
}

function hookText({ hook }: Chain): string {
  return hook === undefined
    ? ''
    : ` { type filter hook ${hook.name} priority ${hook.priority}; policy accept; }`;
}

/** Elements count: `endpoints` what is asked for, the others what was held, since each rule looks into them last of all. */
function setType(set: SetName): string {
  const address = set.endsWith('4') ? 'ip daddr' : 'ip6 daddr';
  if (set.startsWith('pools')) return `typeof ${address}; flags interval;`;
  return `typeof ${address} . meta l4proto . th dport; counter;`;
}
