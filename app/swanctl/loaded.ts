// What charon says it has: the answers of list-conns, list-sas and list-policies as typed values. Formats: strongSwan
// 5.9.8, src/libcharon/plugins/vici/README.md and vici_query.c. What should be there: diff.ts and verify.ts.
import { type Tree, child as section, list, sections, text } from './tree.ts';

/** The streamed answers, one tree for each `list-conn`, `list-sa` and `list-policy` event (trap and pass asked for). */
export interface CharonAnswers {
  readonly connections: readonly Tree[];
  readonly sas: readonly Tree[];
  readonly policies: readonly Tree[];
}

/** Everything in charon, the platform's included: those are only ever shown, never acted on. */
export interface Loaded {
  readonly connections: ReadonlyMap<string, LoadedConnection>;
  readonly ikeSas: readonly IkeSa[];
  /** childKey of every installed trap and pass policy. */
  readonly traps: ReadonlySet<string>;
}

export interface LoadedConnection {
  readonly localAddresses: readonly string[];
  readonly remoteAddresses: readonly string[];
  readonly children: ReadonlyMap<string, LoadedChild>;
}

/** Selectors are charon's print, with names of ports (selector-text.ts reads them). */
export interface LoadedChild {
  readonly mode: string;
  readonly localTs: readonly string[];
  readonly remoteTs: readonly string[];
}

export interface IkeSa {
  /** The connection it was made from; charon keeps it when the connection is unloaded. */
  readonly connection: string;
  readonly uniqueId: number;
  /** `ESTABLISHED`, `CONNECTING`, `DELETING`, ... */
  readonly state: string;
  /** Age in whole seconds; absent unless ESTABLISHED. */
  readonly establishedSeconds?: number;
  readonly remoteHost: string;
  readonly remoteId: string;
  readonly children: readonly ChildSa[];
}

export interface ChildSa {
  readonly name: string;
  readonly uniqueId: number;
  readonly reqid: number;
  /** `INSTALLED`, `REKEYING`, `REKEYED`, `DELETING`, ... */
  readonly state: string;
  readonly localTs: readonly string[];
  readonly remoteTs: readonly string[];
  /** Absent while nothing is installed. Hexadecimal, as `swanctl --list-sas` shows them. */
  readonly spiIn?: string;
  readonly spiOut?: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly installedSeconds: number;
}

/** `k8s-node-worker-0/udp_kube-dns_egress`: as charon names policies. */
export function childKey(connection: string, child: string): string {
  return `${connection}/${child}`;
}

/** Throws an Error when an answer has no number where a step would need one. */
export function readLoaded(answers: CharonAnswers): Loaded {
  return {
    connections: new Map(
      answers.connections.flatMap(sections).map(([name, tree]) => [name, readConnection(tree)]),
    ),
    ikeSas: answers.sas.flatMap(sections).map(([name, tree]) => readIkeSa(name, tree)),
    traps: new Set(
      answers.policies
        .flatMap(sections)
        .map(([key, tree]) => childKey(text(tree, 'ike') ?? '', text(tree, 'child') ?? key)),
    ),
  };
}

function readConnection(tree: Tree): LoadedConnection {
  return {
    localAddresses: list(tree, 'local_addrs'),
    remoteAddresses: list(tree, 'remote_addrs'),
    children: new Map(
      sections(section(tree, 'children') ?? {}).map(([name, child]) => [name, readChild(child)]),
    ),
  };
}

function readChild(tree: Tree): LoadedChild {
  return { mode: text(tree, 'mode') ?? '', ...readSelectors(tree) };
}

function readIkeSa(connection: string, tree: Tree): IkeSa {
  const established = text(tree, 'established');
  return {
    connection,
    uniqueId: number(tree, 'uniqueid'),
    state: text(tree, 'state') ?? '',
    ...(established === undefined ? {} : { establishedSeconds: number(tree, 'established') }),
    remoteHost: text(tree, 'remote-host') ?? '',
    remoteId: text(tree, 'remote-id') ?? '',
    children: sections(section(tree, 'child-sas') ?? {}).map(([name, child]) => readChildSa(name, child)),
  };
}

/** The section is called `<child>-<uniqueid>`; the key `name` has the child's name alone. */
function readChildSa(sectionName: string, tree: Tree): ChildSa {
  const uniqueId = number(tree, 'uniqueid');
  const [spiIn, spiOut] = [text(tree, 'spi-in'), text(tree, 'spi-out')];
  return {
    name: text(tree, 'name') ?? sectionName.replace(`-${uniqueId}`, ''),
    uniqueId,
    reqid: number(tree, 'reqid', 0),
    state: text(tree, 'state') ?? '',
    ...readSelectors(tree),
    ...(spiIn === undefined ? {} : { spiIn }),
    ...(spiOut === undefined ? {} : { spiOut }),
    bytesIn: number(tree, 'bytes-in', 0),
    bytesOut: number(tree, 'bytes-out', 0),
    packetsIn: number(tree, 'packets-in', 0),
    packetsOut: number(tree, 'packets-out', 0),
    installedSeconds: number(tree, 'install-time', 0),
  };
}

function readSelectors(tree: Tree): Pick<LoadedChild, 'localTs' | 'remoteTs'> {
  return { localTs: list(tree, 'local-ts'), remoteTs: list(tree, 'remote-ts') };
}

function number(tree: Tree, key: string, absent?: number): number {
  const value = text(tree, key);
  if (value === undefined && absent !== undefined) return absent;
  if (value === undefined || !/^-?\d+$/.test(value))
    throw new Error(`charon's "${key}" is ${String(value)}, not a number`);
  return Number(value);
}
