// Addresses and prefixes of both families as canonical text. Everything that reaches charon or nft
// went through parseAddress or parsePrefix, so raw text of the cluster cannot (invariant 10).
import { Address6 } from 'ip-address';

/** Canonical text of one IPv4 or IPv6 address (IPv6 as RFC 5952 writes it). */
export type Address = string & { readonly __brand: 'Address' };

/** Canonical `address/length` with all host bits zero. */
export type Prefix = string & { readonly __brand: 'Prefix' };

export type Family = 4 | 6;

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** The canonical form of an address, or undefined when the text is anything else (a zone, a prefix, leading zeros). */
export function parseAddress(text: string): Address | undefined {
  if (IPV4.test(text)) return text as Address;
  if (!/^[0-9a-fA-F:.]{2,45}$/.test(text) || !text.includes(':')) return undefined;
  return Address6.isValid(text) ? (new Address6(text).correctForm() as Address) : undefined;
}

/** The canonical form of a prefix, or undefined. Host bits must be zero: `10.0.0.1/24` is a mistake, not a network. */
export function parsePrefix(text: string): Prefix | undefined {
  const [addressText = '', lengthText = '', rest] = text.split('/');
  const address = parseAddress(addressText);
  if (address === undefined || rest !== undefined || !/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  const bits = addressBits(address);
  if (length > bits) return undefined;
  if (hasHostBits(words(address), wordBits(address), length)) return undefined;
  return `${address}/${length}` as Prefix;
}

export function familyOf(value: Address | Prefix): Family {
  return value.includes(':') ? 6 : 4;
}

/** 32 or 128. */
export function addressBits(value: Address | Prefix): number {
  return familyOf(value) === 4 ? 32 : 128;
}

/** The prefix that holds this one address: /32 or /128. */
export function hostPrefix(address: Address): Prefix {
  return `${address}/${addressBits(address)}` as Prefix;
}

export function prefixLength(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1));
}

export function networkAddress(prefix: Prefix): Address {
  return prefix.slice(0, prefix.indexOf('/')) as Address;
}

export function contains(prefix: Prefix, address: Address): boolean {
  if (familyOf(prefix) !== familyOf(address)) return false;
  const [network, candidate] = [words(networkAddress(prefix)), words(address)];
  const bits = wordBits(prefix);
  let left = prefixLength(prefix);
  for (let i = 0; left > 0; i += 1, left -= bits) {
    const ignored = Math.max(0, bits - left);
    if ((network[i] ?? 0) >> ignored !== (candidate[i] ?? 0) >> ignored) return false;
  }
  return true;
}

/** True when every address of `inner` is in `outer`; a prefix contains itself. */
export function containsPrefix(outer: Prefix, inner: Prefix): boolean {
  return prefixLength(outer) <= prefixLength(inner) && contains(outer, networkAddress(inner));
}

/** Equal for two addresses of one family that share the first `length` bits: the key of an index of prefixes. */
export function networkKey(address: Address, length: number): string {
  const bits = wordBits(address);
  const kept = words(address).map((word, i) => {
    const hostBits = Math.min(bits, Math.max(0, (i + 1) * bits - length));
    return (word >> hostBits) << hostBits;
  });
  return `${kept.join(familyOf(address) === 4 ? '.' : ':')}/${length}`;
}

/** IPv4 before IPv6, then by number: the one order in which addresses are listed anywhere. */
export function compareAddresses(a: Address, b: Address): number {
  if (familyOf(a) !== familyOf(b)) return familyOf(a) - familyOf(b);
  const [x, y] = [words(a), words(b)];
  for (let i = 0; i < x.length; i += 1) if (x[i] !== y[i]) return (x[i] ?? 0) - (y[i] ?? 0);
  return 0;
}

/** By network address, then the shorter prefix first. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareAddresses(networkAddress(a), networkAddress(b)) || prefixLength(a) - prefixLength(b);
}

// Canonical text is taken apart by hand: plans sort and compare thousands of addresses, and a parser with BigInt
// for each comparison made up most of a plan's time.
function words(address: Address): number[] {
  if (familyOf(address) === 4) return address.split('.').map(Number);
  const [head = '', tail] = address.split('::');
  const left = hexWords(head);
  if (tail === undefined) return left;
  const right = hexWords(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function hexWords(text: string): number[] {
  return text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16));
}

/** 8 for IPv4, 16 for IPv6. */
function wordBits(value: Address | Prefix): number {
  return familyOf(value) === 4 ? 8 : 16;
}

function hasHostBits(address: readonly number[], bits: number, length: number): boolean {
  return address.some((word, i) => {
    const hostBits = Math.min(bits, Math.max(0, (i + 1) * bits - length));
    return (word & ((1 << hostBits) - 1)) !== 0;
  });
}
