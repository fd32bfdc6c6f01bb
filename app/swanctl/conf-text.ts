// A host's configuration as the text of /etc/swanctl/conf.d/k8s-nodes.conf: always the same bytes for the same value.
// The content is the tree of host-config-tree.ts; this file only lays it out. Reading it back: conf-parse.ts.
import Handlebars from 'handlebars';
import type { Connection, HostConfig, PeerConnection } from '../domain/host-config.ts';
import { connectionTree } from './host-config-tree.ts';
import { type Tree, type TreeValue, sections } from './tree.ts';

/** A section as the template walks it. */
interface SectionView {
  readonly values: readonly { readonly key: string; readonly text: string }[];
  readonly sections: readonly (SectionView & { readonly name: string })[];
}

const FILE = `# Written by ipsec-policy-operator. What is changed here by hand is replaced.
# network-uid: {{networkUid}}
connections {
{{#each connections}}
{{#if loadedAt}}
  # loaded-at: {{loadedAt}}
{{/if}}
  {{name}} {
    {{> section}}
  }
{{/each}}
}
`;

const SECTION = `{{#each values}}
{{key}} = {{text}}
{{/each}}
{{#each sections}}
{{name}} {
  {{> section}}
}
{{/each}}
`;

/** The whole file. Ends with a newline. */
export function confText(config: HostConfig): string {
  return template()({
    networkUid: config.networkUid,
    connections: config.connections.map((connection) => ({
      name: connection.name,
      loadedAt: connection.kind === 'peer' ? connection.loadedAt : undefined,
      ...sectionView(connectionTree(connection)),
    })),
  });
}

/**
 * What charon has of a connection once it is loaded, as text to compare: everything but the comment `loaded-at`.
 * The agent remembers it for each connection it loaded over the present VICI session (`sent` of diff.ts).
 */
export function contentText(connection: Connection): string {
  return JSON.stringify(connectionTree(connection));
}

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
  if (compiled === undefined) {
    const options = { noEscape: true, strict: true, knownHelpersOnly: true } as const;
    const section = Handlebars.compile(SECTION, options);
    const file = Handlebars.compile(FILE, options);
    compiled = (view) => file(view, { partials: { section } });
  }
  return compiled;
}

function sectionView(tree: Tree): SectionView {
  return {
    values: Object.entries(tree).flatMap(([key, value]) => {
      const text = valueText(value);
      return text === undefined ? [] : [{ key, text }];
    }),
    sections: sections(tree).map(([name, section]) => ({ name, ...sectionView(section) })),
  };
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
