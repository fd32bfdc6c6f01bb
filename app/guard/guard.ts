// Reads what stands of our guard in the kernel and applies a plan's texts. Small steps for a caller that decides when.
// What to apply: plan-guard.ts; how nft is run: nft.ts.
import { GuardError, type Nft } from './nft.ts';
import { guardState, readTable, readTableNames, type GuardState, type TableReading } from './read-back.ts';
import { isOfRuleset, type Ruleset, type TableName } from './ruleset.ts';

/**
 * All of it, with elements and counters. `alone` is the table that stood whole and alone in the last look: while it does, one
 * run of nft is enough instead of two, each of which costs as much as all that an agent asks charon. Tables of ours that others
 * made meanwhile are then not seen. Throws GuardError.
 */
export async function readGuard(nft: Nft, ruleset: Ruleset, alone?: TableName): Promise<GuardState> {
  const reading = alone === undefined ? undefined : await readAgain(nft, alone, ruleset);
  if (reading !== undefined) return guardState([reading], []);
  const names = readTableNames(await nft.list('tables', 'inet'));
  if (names === undefined) throw new GuardError('unreadable', 'nft: a list of tables that is no JSON');
  const own = names.filter((name) => isOfRuleset(name, ruleset));
  const readings = [];
  for (const name of own) readings.push(await readOne(nft, name, ruleset));
  const others = names.filter((name) => !own.includes(name));
  return guardState(readings, others);
}

/** One after another; the first that fails ends it, and reading anew tells what was done. Throws GuardError. */
export async function applyGuard(nft: Nft, texts: readonly string[]): Promise<void> {
  for (const text of texts) await nft.apply(text);
}

/** Undefined when it is not there as it was. */
async function readAgain(nft: Nft, name: TableName, ruleset: Ruleset): Promise<TableReading | undefined> {
  try {
    const reading = await readOne(nft, name, ruleset);
    return 'table' in reading ? reading : undefined;
  } catch (error) {
    if (error instanceof GuardError && error.failure === 'refused') return undefined;
    throw error;
  }
}

async function readOne(nft: Nft, name: TableName, ruleset: Ruleset): Promise<TableReading> {
  const reading = readTable(name, await nft.list('table', 'inet', name), ruleset);
  if (reading === undefined) throw new GuardError('unreadable', `nft: table ${name} is no JSON`);
  return reading;
}
