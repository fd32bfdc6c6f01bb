// Which elements each set of the guard must hold, as canonical text, and what must be added and removed to get there.
// Pure. What the sets do: ruleset.ts. In which order a difference is applied: plan-guard.ts.
import type { GuardRows } from '../domain/host-config.ts';
import {
  addressBits,
  containsPrefix,
  familyOf,
  hostPrefix,
  networkAddress,
  prefixLength,
  type Address,
  type Prefix,
} from '../domain/ip.ts';
import { formatPort, type Port, type Protocol } from '../domain/ports.ts';
import { compareText } from '../domain/problem.ts';

/** `endpoints` counts what goes to every protected endpoint, `holding` names those of them that hold. In the order of filling. */
export const SET_KINDS = ['pools', 'endpoints', 'holding', 'cluster_ips'] as const;
export type SetKind = (typeof SET_KINDS)[number];
export type SetName = `${SetKind}${4 | 6}`;

/** The text of one element as nft reads it: `172.16.166.178 . 17 . 53` or `172.16.0.0/16`. Only this file makes it. */
export type Element = string & { readonly __brand: 'GuardElement' };

/** Every set, each with its elements sorted and each once. */
export type GuardElements = Readonly<Record<SetName, readonly Element[]>>;

export interface ElementsDiff {
  readonly added: GuardElements;
  readonly removed: GuardElements;
}

/** Numbers, because names of protocols come from /etc/protocols, which an image may lack. */
export const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** Each kind for IPv4 and IPv6. */
export const SET_NAMES: readonly SetName[] = SET_KINDS.flatMap((kind): SetName[] => [`${kind}4`, `${kind}6`]);

/**
 * An endpoint that holds, for its clients here or because it is here itself, holds both ways: the other way would be this
 * host's own pods among themselves, which never meet the guard.
 */
export function guardElements(rows: GuardRows): GuardElements {
  const held = rows.endpoints.filter((endpoint) => endpoint.holdEgress || endpoint.holdIngress);
  const pools = outermost(rows.pools).map((prefix) => ({ address: prefix, element: prefixElement(prefix) }));
  return bySet((kind) => {
    if (kind === 'pools') return pools;
    const services = { endpoints: rows.endpoints, holding: held, cluster_ips: rows.clusterIps }[kind];
    return services.map((row) => ({ address: row.address, element: serviceElement(row) }));
  });
}

/** The element of an address, protocol and port. */
export function serviceElement({ address, protocol, port }: Port & { readonly address: Address }): Element {
  return `${address} . ${PROTOCOL_NUMBERS[protocol]} . ${port}` as Element;
}

/** The element of a prefix; one address without its length, as nft writes it. */
export function prefixElement(prefix: Prefix): Element {
  const isAddress = prefixLength(prefix) === addressBits(prefix);
  return (isAddress ? networkAddress(prefix) : prefix) as string as Element;
}

/** How an endpoint is called in counters: `172.16.166.178 udp/53`. */
export function endpointKey(endpoint: Port & { readonly address: Address }): string {
  return `${endpoint.address} ${formatPort(endpoint)}`;
}

/** What is desired and not actual, and the reverse, set by set. */
export function diffElements(desired: GuardElements, actual: GuardElements): ElementsDiff {
  return { added: subtract(desired, actual), removed: subtract(actual, desired) };
}

function subtract(from: GuardElements, what: GuardElements): GuardElements {
  return mapSets((name) => {
    const known = new Set(what[name]);
    return from[name].filter((element) => !known.has(element));
  });
}

/** Those elements of which `isWanted` is true. */
export function pick(
  elements: GuardElements,
  isWanted: (kind: SetKind, element: Element) => boolean,
): GuardElements {
  return mapSets((name) => elements[name].filter((element) => isWanted(kindOf(name), element)));
}

/** True when two elements of the pools share an address: they cannot be in the set together. */
export function poolsOverlap(a: Element, b: Element): boolean {
  const [x, y] = [poolOf(a), poolOf(b)];
  return containsPrefix(x, y) || containsPrefix(y, x);
}

/** Builds all sets by a function of their name. */
export function mapSets(elements: (name: SetName) => readonly Element[]): GuardElements {
  return Object.fromEntries(SET_NAMES.map((name) => [name, elements(name)])) as unknown as GuardElements;
}

function kindOf(name: SetName): SetKind {
  return name.slice(0, -1) as SetKind;
}

function poolOf(element: Element): Prefix {
  return element.includes('/') ? (element as string as Prefix) : hostPrefix(element as string as Address);
}

interface Row {
  readonly address: Address | Prefix;
  readonly element: Element;
}

function bySet(rowsOf: (kind: SetKind) => readonly Row[]): GuardElements {
  const rows = new Map(SET_KINDS.map((kind) => [kind, rowsOf(kind)]));
  return mapSets((name) => {
    const family = Number(name.slice(-1));
    const ofKind = rows.get(kindOf(name)) ?? [];
    const texts = ofKind.filter((row) => familyOf(row.address) === family).map((row) => row.element);
    return [...new Set(texts)].sort(compareText);
  });
}

/** Without prefixes that lie in another one: nft refuses intervals that overlap. */
function outermost(prefixes: readonly Prefix[]): Prefix[] {
  return prefixes.filter(
    (inner) => !prefixes.some((outer) => outer !== inner && containsPrefix(outer, inner)),
  );
}
