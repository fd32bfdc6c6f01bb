// A host's configuration as the text of /etc/swanctl/conf.d/k8s-nodes.conf: always the same bytes for the same value.
// The content is the tree of host-config-tree.ts; this file only lays it out. Reading it back: conf-parse.ts.
import Handlebars from 'handlebars';
import type { Connection, HostConfig, PeerConnection } from '../domain/host-config.ts';
import { connectionTree } from './host-config-tree.ts';
import { type Tree, type TreeValue, sections } from './tree.ts';

const FILE = `# Written by ipsec-policy-operator. What is changed here by hand is replaced.
# network-uid: {{networkUid}}
{{#if guardMode}}
# guard-mode: {{guardMode}}
{{/if}}
connections {
{{#each connections}}
{{#if loadedAt}}
  # loaded-at: {{loadedAt}}
{{/if}}
  {{name}} {
{{content}}
  }
{{/each}}
}
`;

/** The whole file. Ends with a newline. */
export function confText(config: HostConfig): string {
  return template()({
    networkUid: config.networkUid,
    guardMode: config.guardMode,
    connections: config.connections.map((connection) => ({
      name: connection.name,
      loadedAt: connection.kind === 'peer' ? connection.loadedAt : undefined,
      content: sectionLines(connectionTree(connection), '    ').join('\n'),
    })),
  });
}

/**
 * What charon has of a connection once it is loaded, as text to compare: everything but the comment `loaded-at`.
 * The agent remembers it for each connection it loaded over the present VICI session (`sent` of diff.ts).
 */
export function contentText(connection: Connection): string {
  const known = contentTexts.get(connection);
  if (known !== undefined) return known;
  const text = JSON.stringify(connectionTree(connection));
  contentTexts.set(connection, text);
  return text;
}

/** Asked several times a pass for each connection; values never change, so they are remembered as long as they live. */
const contentTexts = new WeakMap<Connection, string>();

/**
 * The same without the children: when this differs, charon replaces the whole connection, re-installs all its traps,
 * and IKE_SAs keep the one they were made from.
 */
export function connectionOnlyText(connection: PeerConnection): string {
  return JSON.stringify({ ...connectionTree(connection), children: {} });
}

let compiled: Handlebars.TemplateDelegate | undefined;

/** Compiled once, at first use: compiling takes longer than rendering. */
function template(): Handlebars.TemplateDelegate {
  compiled ??= Handlebars.compile(FILE, { noEscape: true, strict: true, knownHelpersOnly: true });
  return compiled;
}

/** By hand, not by the template: a partial for each of 6,000 children took 150 ms, this takes 10 (test/bench/agent.ts). */
function sectionLines(tree: Tree, indent: string): string[] {
  const values = Object.entries(tree).flatMap(([key, value]) => {
    const text = valueText(value);
    return text === undefined ? [] : [`${indent}${key} = ${text}`];
  });
  const inner = sections(tree).flatMap(([name, section]) => [
    `${indent}${name} {`,
    ...sectionLines(section, `${indent}  `),
    `${indent}}`,
  ]);
  return [...values, ...inner];
}

/** Undefined for a section. */
function valueText(value: TreeValue): string | undefined {
  if (typeof value === 'string') return quoted(value);
  return Array.isArray(value) ? value.join(', ') : undefined;
}

/** An identity has `=` and blanks, which the file's grammar wants in quotes (settings_lexer.l). */
function quoted(value: string): string {
  return /^[A-Za-z0-9._-]+$/.test(value) ? value : `"${value}"`;
}
