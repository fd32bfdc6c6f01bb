// What are our connections and children called? The only maker of such names: whoever unloads or terminates asks isOurs().
// A name matches [A-Za-z0-9_-]+: a dot is a syntax error in strongSwan's file, and that makes a platform's load-all unload all.
import type { HostName } from './facts.ts';
import { compareFlows } from './flows.ts';
import type {
  Child,
  ChildName,
  Connection,
  ConnectionName,
  HostConfig,
  HostPlan,
  PlannedChild,
  PlannedConnection,
  TrafficSelector,
} from './host-config.ts';
import type { Family } from './ip.ts';
import { comparePorts } from './ports.ts';
import { compareText } from './problem.ts';

const OUR_PREFIX = 'k8s-node-';
const NAME = /^[A-Za-z0-9_-]+$/;
/** The platform's own connection; its tests count lines with this text. */
const PLATFORM_NAME = 'system-nodes';
/** Longest label of a host; leaves every connection's name below VICI's 255 bytes. */
const LABEL_LENGTH = 63;
/** Of a namespace or service within a child's name: swanctl 5.9.8 silently cuts a name over 127 bytes and loads another child. */
const CHILD_LABEL_LENGTH = 48;

/** Holds the pass children; not a peer's. */
export const LOCAL_CONNECTION = `${OUR_PREFIX}local` as ConnectionName;

/** False for a host that would make an impossible name, or one that is another host's or `k8s-node-local`. */
export function isSupportedHostName(host: HostName): boolean {
  return isName(host) && host.length <= LABEL_LENGTH && host !== 'local' && !host.endsWith('-ipv6');
}

/** `k8s-node-<peer>`, for IPv6 `k8s-node-<peer>-ipv6`. Throws for a host that is not supported. */
export function connectionName(peer: HostName, family: Family): ConnectionName {
  if (!isSupportedHostName(peer)) throw new Error(`not a name for a connection: ${peer}`);
  return `${OUR_PREFIX}${peer}${family === 6 ? '-ipv6' : ''}` as ConnectionName;
}

/** The common name of a host's certificate, as the platform issues it. Throws for a host that is not supported. */
export function commonName(host: HostName): string {
  if (!isSupportedHostName(host)) throw new Error(`not a name for a certificate: ${host}`);
  return `ipsec-${host}`;
}

/** True for a connection that is ours by its name; nothing else may ever be unloaded or terminated. */
export function isOurs(name: string): name is ConnectionName {
  return isName(name) && name.startsWith(OUR_PREFIX) && name.length > OUR_PREFIX.length;
}

/** True for text that can stand as a child's name in our file. */
export function isChildName(name: string): name is ChildName {
  return isName(name);
}

function isName(text: string): boolean {
  return NAME.test(text) && !text.includes(PLATFORM_NAME);
}

/**
 * Names the children of a plan. A child that is in the file (same connection, mode and selectors) keeps its name for life, under
 * another network uid too: removing and loading it again under a second name would lose packets. A new child takes the first free
 * of `<proto>_<service>_<direction>`, `...-2`, `...-3`; free is what neither the file nor charon has in that connection
 * (`charonNames`: by connection, children loaded there and those of its SAs). With an empty file and charon the result depends on the plan only; twice is once.
 */
export function assignNames(
  plan: HostPlan,
  file: HostConfig | undefined,
  charonNames: ReadonlyMap<string, ReadonlySet<string>>,
): HostConfig {
  const filed = new Map((file?.connections ?? []).map((connection) => [connection.name, connection]));
  const connections = plan.connections
    .map((planned) =>
      nameConnection(planned, filed.get(planned.name), charonNames.get(planned.name) ?? new Set()),
    )
    .sort((a, b) => compareText(a.name, b.name));
  const { networkUid, guardMode } = plan;
  return { networkUid, ...(guardMode !== undefined && { guardMode }), connections };
}

function nameConnection(
  planned: PlannedConnection,
  filed: Connection | undefined,
  charonNames: ReadonlySet<string>,
): Connection {
  const children = nameChildren(planned.children, filed?.children ?? [], charonNames);
  if (planned.kind === 'local') return { kind: planned.kind, name: planned.name, children };
  const { kind, name, localAddress, remoteAddress, localCommonName, remoteCommonName, parameters } = planned;
  const own = { kind, name, localAddress, remoteAddress, localCommonName, remoteCommonName, parameters };
  const loadedAt = filed?.kind === 'peer' && isSame(own, filed) ? filed.loadedAt : undefined;
  return { ...own, ...(loadedAt === undefined ? {} : { loadedAt }), children };
}

/** True when every field of `a` is the same in `b`, and the other way round for objects inside, in any order. */
function isSame(a: object, b: object): boolean {
  const other = new Map<string, unknown>(Object.entries(b));
  return Object.entries(a).every(([key, value]: [string, unknown]) => {
    const match = other.get(key);
    return isObject(value) && isObject(match)
      ? isSame(value, match) && isSame(match, value)
      : value === match;
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function nameChildren(
  planned: readonly PlannedChild[],
  filed: readonly Child[],
  charonNames: ReadonlySet<string>,
): Child[] {
  const memory = namesBySelectors(filed);
  const named: Child[] = [];
  const fresh: PlannedChild[] = [];
  const plainOwners = new Map<string, Set<string>>();
  for (const child of planned) {
    const name = memory.get(selectorsKey(child));
    if (name === undefined) fresh.push(child);
    else {
      named.push(withName(child, name));
      if (isPlainName(name, child)) own(plainOwners, child);
    }
  }
  const nextFree = freeNames(new Set([...filed.map((child) => child.name), ...charonNames]));
  for (const child of fresh.sort(compareFresh)) {
    const isPlain = plainOwners.get(plainBase(child))?.has(child.service.namespace) ?? true;
    if (isPlain) own(plainOwners, child);
    named.push(withName(child, nextFree(isPlain ? plainBase(child) : namespacedBase(child))));
  }
  return named.sort((a, b) => compareText(a.name, b.name));
}

function own(owners: Map<string, Set<string>>, child: PlannedChild): void {
  const namespaces = owners.get(plainBase(child)) ?? new Set();
  owners.set(plainBase(child), namespaces.add(child.service.namespace));
}

/** The file as memory of which name is which flow; of two equal children, or two of one name, the first counts. */
function namesBySelectors(filed: readonly Child[]): Map<string, ChildName> {
  const names = new Map<string, ChildName>();
  const used = new Set<ChildName>();
  for (const child of filed.toSorted((a, b) => compareText(a.name, b.name))) {
    const key = selectorsKey(child);
    if (!isChildName(child.name) || names.has(key) || used.has(child.name)) continue;
    names.set(key, child.name);
    used.add(child.name);
  }
  return names;
}

function selectorsKey({ mode, localTs, remoteTs }: Pick<Child, 'mode' | 'localTs' | 'remoteTs'>): string {
  return [mode, selectorText(localTs), selectorText(remoteTs)].join(' ');
}

function selectorText({ prefix, protocol, port }: TrafficSelector): string {
  return `${prefix}[${protocol}/${port ?? ''}]`;
}

/** Gives base, base-2, base-3, ..., each once and none that is taken; no base with a number is itself a base. */
function freeNames(taken: ReadonlySet<string>): (base: string) => ChildName {
  const tried = new Map<string, number>();
  return (base) => {
    let n = tried.get(base) ?? 0;
    let name: string;
    do {
      n += 1;
      name = n === 1 ? base : `${base}-${n}`;
    } while (taken.has(name));
    tried.set(base, n);
    return name as ChildName;
  };
}

/** The order in which new children take names: the service first, so that the first namespace gets the plain name. */
function compareFresh(a: PlannedChild, b: PlannedChild): number {
  return (
    compareText(a.service.name, b.service.name) ||
    compareText(a.service.namespace, b.service.namespace) ||
    comparePorts(a.flow, b.flow) ||
    compareFlows(a.flow, b.flow) ||
    compareText(a.mode, b.mode)
  );
}

function isPlainName(name: ChildName, child: PlannedChild): boolean {
  const base = plainBase(child);
  return name === base || (name.startsWith(`${base}-`) && /^[1-9]\d*$/.test(name.slice(base.length + 1)));
}

function plainBase({ flow, service, direction }: PlannedChild): string {
  return `${flow.protocol}_${label(service.name)}_${direction}`;
}

function namespacedBase({ flow, service, direction }: PlannedChild): string {
  return `${flow.protocol}_${label(service.namespace)}_${label(service.name)}_${direction}`;
}

/** Kubernetes' own names pass unchanged, but for one that holds the platform's. What is no such name still makes a valid one. */
function label(text: string): string {
  return text
    .slice(0, CHILD_LABEL_LENGTH)
    .replaceAll(/[^A-Za-z0-9_-]/g, '-')
    .replaceAll(PLATFORM_NAME, PLATFORM_NAME.replace('-', '_'));
}

function withName(child: PlannedChild, name: ChildName): Child {
  const { mode, localTs, remoteTs, priority, startAction } = child;
  return { name, mode, localTs, remoteTs, priority, startAction };
}
