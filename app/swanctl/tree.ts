// The one shape that strongSwan's file, its VICI messages and our code share: sections of values, lists and sections.

/** A section: keys in insertion order; a value is text, a list of texts or a section. */
export interface Tree {
  readonly [key: string]: TreeValue;
}
export type TreeValue = string | readonly string[] | Tree;

/** The section below `key`, or undefined when it is absent or not a section. */
export function child(tree: Tree, key: string): Tree | undefined {
  const value = tree[key];
  return typeof value === 'object' && !isList(value) ? value : undefined;
}

/** The text below `key`, or undefined. */
export function text(tree: Tree, key: string): string | undefined {
  const value = tree[key];
  return typeof value === 'string' ? value : undefined;
}

/** The list below `key`; empty when absent. */
export function list(tree: Tree, key: string): readonly string[] {
  const value = tree[key];
  return isList(value) ? value : [];
}

/** The sub-sections of a section, in order. */
export function sections(tree: Tree): [string, Tree][] {
  return Object.entries(tree).filter(
    (entry): entry is [string, Tree] => typeof entry[1] === 'object' && !isList(entry[1]),
  );
}

function isList(value: TreeValue | undefined): value is readonly string[] {
  return Array.isArray(value);
}
