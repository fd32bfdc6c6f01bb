// Addresses and prefixes of both families as canonical text. Everything that reaches charon or nft
// went through parseAddress or parsePrefix, so raw text of the cluster cannot (invariant 10).
import { Address4, Address6 } from 'ip-address';

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
  const hostBits = BigInt(bits - length);
  if ((addressValue(address) >> hostBits) << hostBits !== addressValue(address)) return undefined;
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
  const shift = BigInt(addressBits(prefix) - prefixLength(prefix));
  return addressValue(networkAddress(prefix)) >> shift === addressValue(address) >> shift;
}

/** True when every address of `inner` is in `outer`; a prefix contains itself. */
export function containsPrefix(outer: Prefix, inner: Prefix): boolean {
  return prefixLength(outer) <= prefixLength(inner) && contains(outer, networkAddress(inner));
}

/** IPv4 before IPv6, then by number: the one order in which addresses are listed anywhere. */
export function compareAddresses(a: Address, b: Address): number {
  if (familyOf(a) !== familyOf(b)) return familyOf(a) - familyOf(b);
  const [x, y] = [addressValue(a), addressValue(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** By network address, then the shorter prefix first. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareAddresses(networkAddress(a), networkAddress(b)) || prefixLength(a) - prefixLength(b);
}

function addressValue(address: Address): bigint {
  return familyOf(address) === 4 ? new Address4(address).bigInt() : new Address6(address).bigInt();
}
