// What one host has, as it says itself at one moment: charon's listings, the text of our file, our nftables tables, the agent's
// metrics. Raw, so that `verify` can judge it and `support-bundle` keep it. It holds no key and no certificate: none of these
// sources has one. How it is taken: inspect-command.ts; how it gets to who asks: ask-host.ts.
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

/** Of the text that `inspect` prints; undefined when it is anything else. */
export function parseEvidence(text: string): Evidence | undefined {
  try {
    const value = JSON.parse(text) as Partial<Evidence> | null;
    return value?.format === 1 ? (value as Evidence) : undefined;
  } catch {
    return undefined;
  }
}
