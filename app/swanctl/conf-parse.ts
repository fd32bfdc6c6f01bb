// Reads our own file back: is this text exactly one HostConfig that conf-text.ts could have written, and if not, what
// is wrong on which line? It guards three things: what we rename into place, what we take as our memory of names after
// a restart, and that nothing foreign in that file is ever taken for ours.
import type {
  LenientGuardMode,
  Child,
  ChildName,
  Connection,
  ConnectionName,
  HostConfig,
  LocalConnection,
  PeerConnection,
  StartAction,
} from '../domain/host-config.ts';
import type { IpsecParameters } from '../domain/facts.ts';
import { type Address, parseAddress } from '../domain/ip.ts';
import { type ConfSection, ConfSyntaxError, parseConf, shown } from './conf-grammar.ts';
import { connectionTree } from './host-config-tree.ts';
import { isChildName, isOurs, LOCAL_CONNECTION } from '../domain/names.ts';
import { parseCharonSelector, sameFamily } from './selector-text.ts';
import type { Tree, TreeValue } from './tree.ts';

export type ParsedConf = { readonly config: HostConfig } | { readonly error: string; readonly line: number };

/** Below the platform's pass policies (strongSwan gives them 199679): anything else leaves in plaintext. */
const PRIORITY_LIMIT = 199679;

/**
 * swanctl looks a section up by its path, in buffers: a name of more than 127 bytes, or a path of more than 255, is cut,
 * and something else is loaded without a word, a child without selectors for one (5.9.8; test/integration/swanctl-conf-file).
 */
const LONGEST_NAME = 127;
const LONGEST_PATH = 255;

/** The configuration in the text, or the first thing that is wrong with it. Never throws. */
export function parseConfText(text: string): ParsedConf {
  try {
    return { config: readFile(parseConf(text)) };
  } catch (error) {
    if (error instanceof ConfSyntaxError) return { error: error.message, line: error.line };
    throw error;
  }
}

function readFile(file: ConfSection): HostConfig {
  const connections = file.sections.get('connections');
  if (connections === undefined) fail(1, 'there is no section "connections"');
  onlyThese(file, [], ['connections']);
  onlyThese(connections, [], [...connections.sections.keys()]);
  const guardMode = comment(connections, 'guard-mode', /^(observe|off)$/) as LenientGuardMode | undefined;
  return {
    ...(guardMode !== undefined && { guardMode }),
    networkUid:
      comment(connections, 'network-uid', /^[A-Za-z0-9-]{1,64}$/) ?? fail(1, 'no comment "# network-uid:"'),
    connections: [...connections.sections].map(([name, section]) => readConnection(name, section)),
  };
}

function readConnection(name: string, section: ConfSection): Connection {
  if (!isOurs(name)) fail(section.line, `${shown(name)} is not a connection of ours`);
  checkLength(section, ['connections', name]);
  const connection = name === LOCAL_CONNECTION ? readLocal(name, section) : readPeer(name, section);
  // Read leniently, then compared with what we would have written: no key more, none less, no value different.
  compareTree(connectionTree(connection), section);
  return connection;
}

function readLocal(name: ConnectionName, section: ConfSection): LocalConnection {
  return { kind: 'local', name, children: readChildren(name, section, 'pass') };
}

function readPeer(name: ConnectionName, section: ConfSection): PeerConnection {
  const children = readChildren(name, section, 'tunnel');
  const loadedAt = comment(section, 'loaded-at', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/);
  if (loadedAt !== undefined && Number.isNaN(Date.parse(loadedAt)))
    fail(section.line, 'loaded-at is not a time');
  return {
    kind: 'peer',
    name,
    localAddress: address(section, 'local_addrs'),
    remoteAddress: address(section, 'remote_addrs'),
    localCommonName: commonName(subsection(section, 'local')),
    remoteCommonName: commonName(subsection(section, 'remote')),
    parameters: readParameters(section),
    ...(loadedAt === undefined ? {} : { loadedAt }),
    children,
  };
}

/** ESP parameters stand in every child alike; the first one is read here, compareTree sees to the others. */
function readParameters(section: ConfSection): IpsecParameters {
  const [child] = subsection(section, 'children').sections.values();
  if (child === undefined) fail(section.line, 'a connection to a peer without children');
  const caId = subsection(section, 'remote').values.get('ca_id')?.text;
  return {
    ikeProposal: value(section, 'proposals', PROPOSAL),
    espProposal: value(child, 'esp_proposals', PROPOSAL),
    ikeReauthSeconds: seconds(section, 'reauth_time'),
    ikeRekeySeconds: seconds(section, 'rekey_time'),
    childRekeySeconds: seconds(child, 'rekey_time'),
    dpdSeconds: seconds(section, 'dpd_delay'),
    ...(caId === undefined ? {} : { caId }),
  };
}

function readChildren(connection: ConnectionName, section: ConfSection, mode: Child['mode']): Child[] {
  return [...subsection(section, 'children').sections].map(([name, child]) => {
    if (!isChildName(name)) fail(child.line, `${shown(name)} cannot be the name of a child`);
    checkLength(child, ['connections', connection, 'children', name]);
    return readChild(name, child, mode);
  });
}

function readChild(name: ChildName, section: ConfSection, mode: Child['mode']): Child {
  const localTs = parseCharonSelector(value(section, 'local_ts', ANY));
  const remoteTs = parseCharonSelector(value(section, 'remote_ts', ANY));
  if (localTs === undefined || remoteTs === undefined)
    fail(section.line, `a selector of "${name}" is not like 10.0.0.0/26[17] or 10.0.0.1/32[17/53]`);
  if (!sameFamily(localTs, remoteTs) || localTs.protocol !== remoteTs.protocol)
    fail(section.line, `the selectors of "${name}" differ in family or protocol`);
  const priority = Number(value(section, 'priority', /^[1-9]\d{0,5}$/));
  if (priority >= PRIORITY_LIMIT)
    fail(section.line, `the priority of "${name}" is not below ${PRIORITY_LIMIT}`);
  return {
    name,
    mode,
    localTs,
    remoteTs,
    priority,
    startAction: value(section, 'start_action', /^(?:none|trap)$/) as StartAction,
  };
}

function checkLength({ line }: ConfSection, path: readonly string[]): void {
  const name = path.at(-1) ?? '';
  const pathLength = path.reduce((sum, part) => sum + part.length, path.length - 1);
  if (name.length > LONGEST_NAME || pathLength > LONGEST_PATH)
    fail(line, `${shown(name)} is too long a name for swanctl`);
}

const ANY = /^.+$/;
const PROPOSAL = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

function commonName(section: ConfSection): string {
  return value(section, 'id', /^CN=ipsec-[A-Za-z0-9._-]+$/).slice('CN='.length);
}

function address(section: ConfSection, key: string): Address {
  const parsed = parseAddress(value(section, key, ANY));
  return parsed ?? fail(section.values.get(key)?.line ?? section.line, `"${key}" is not an address`);
}

function seconds(section: ConfSection, key: string): number {
  return Number(value(section, key, /^(?:0|[1-9]\d{0,8})s$/).slice(0, -1));
}

function value(section: ConfSection, key: string, pattern: RegExp): string {
  const found = section.values.get(key);
  if (found === undefined) fail(section.line, `there is no "${key}"`);
  if (!pattern.test(found.text)) fail(found.line, `${shown(found.text)} cannot be the value of "${key}"`);
  return found.text;
}

function subsection(section: ConfSection, name: string): ConfSection {
  return section.sections.get(name) ?? fail(section.line, `there is no section "${name}"`);
}

/** The value of a comment `# name: value` before a section; other comments say nothing to us. */
function comment(section: ConfSection, name: string, pattern: RegExp): string | undefined {
  const found = section.comments.filter(({ text }) => text.startsWith(`${name}:`));
  const [first, second] = found;
  if (first === undefined) return undefined;
  if (second !== undefined) fail(second.line, `the comment "${name}" stands here twice`);
  const text = first.text.slice(name.length + 1).trim();
  return pattern.test(text) ? text : fail(first.line, `${shown(text)} cannot be the value of "${name}"`);
}

function compareTree(tree: Tree, section: ConfSection): void {
  const entries = Object.entries(tree);
  for (const [key, expected] of entries) {
    if (isSection(expected)) compareTree(expected, subsection(section, key));
    else compareValue(section, key, typeof expected === 'string' ? expected : expected.join(', '));
  }
  // All that is expected is there. Only when there is more, what that is must be found out.
  if (section.values.size + section.sections.size === entries.length) return;
  onlyThese(
    section,
    entries.filter(([, item]) => !isSection(item)).map(([key]) => key),
    entries.filter(([, item]) => isSection(item)).map(([key]) => key),
  );
}

function isSection(value: TreeValue): value is Tree {
  return typeof value === 'object' && !Array.isArray(value);
}

function compareValue(section: ConfSection, key: string, expected: string): void {
  const found = section.values.get(key);
  if (found?.text !== expected) fail(found?.line ?? section.line, `"${key}" should be ${shown(expected)}`);
}

function onlyThese(section: ConfSection, keys: readonly string[], names: readonly string[]): void {
  for (const [key, { line }] of section.values)
    if (!keys.includes(key)) fail(line, `"${key}" does not belong here`);
  for (const [name, { line }] of section.sections)
    if (!names.includes(name)) fail(line, `section ${shown(name)} does not belong here`);
}

function fail(line: number, message: string): never {
  throw new ConfSyntaxError(line, message);
}
