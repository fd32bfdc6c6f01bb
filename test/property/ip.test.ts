// ip.ts against a naive implementation that spells every address out as a string of bits.
import { expect } from 'chai';
import fc from 'fast-check';
import {
  addressBits,
  compareAddresses,
  comparePrefixes,
  contains,
  containsPrefix,
  familyOf,
  hostPrefix,
  networkAddress,
  parseAddress,
  parsePrefix,
  prefixLength,
  type Address,
  type Prefix,
} from '../../app/domain/ip.ts';
import { address, prefix } from '../support/facts-builders.ts';

/** Zeros and repeats are likely, so that prefixes contain and `::` occurs. */
const octet = fc.oneof(fc.constantFrom(0, 1, 128, 255), fc.nat(255));
const word = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, 0, 1, 0x8000) }, fc.nat(0xffff));
const v4 = fc.tuple(octet, octet, octet, octet).map((octets) => address(octets.join('.')));
const v6 = fc.array(word, { minLength: 8, maxLength: 8 }).map((words) => address(hex(words)));
const someAddress = fc.oneof(v4, v6);
const somePrefix = fc
  .tuple(someAddress, fc.nat(128))
  .map(([base, length]) => masked(base, Math.min(length, addressBits(base))));

describe('ip, for any addresses and prefixes', () => {
  it('reads what it writes, as it is', () => {
    fc.assert(
      fc.property(someAddress, somePrefix, (a, p) => {
        expect(parseAddress(a)).to.equal(a);
        expect(parsePrefix(p)).to.equal(p);
        expect(parsePrefix(hostPrefix(a))).to.equal(hostPrefix(a));
        expect(parsePrefix(`${networkAddress(p)}/${prefixLength(p)}`)).to.equal(p);
      }),
    );
  });

  it('writes every spelling of an IPv6 address the same way', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), (words) => {
        const padded = words.map((item) => item.toString(16).padStart(4, '0').toUpperCase()).join(':');
        expect(parseAddress(padded)).to.equal(parseAddress(hex(words)));
      }),
    );
  });

  it('refuses a prefix with host bits and takes one without', () => {
    fc.assert(
      fc.property(someAddress, fc.nat(128), (a, length) => {
        const expected = length <= bits(a).length && !bits(a).slice(length).includes('1');
        expect(parsePrefix(`${a}/${length}`) !== undefined).to.equal(expected);
      }),
    );
  });

  it('contains what a comparison of bit strings contains', () => {
    fc.assert(
      fc.property(somePrefix, someAddress, fc.boolean(), (p, other, inside) => {
        const candidate = inside ? withHostBits(p, other) : other;
        expect(contains(p, candidate)).to.equal(
          familyOf(p) === familyOf(candidate) && bits(candidate).startsWith(networkBits(p)),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('contains prefixes as a comparison of bit strings does', () => {
    fc.assert(
      fc.property(somePrefix, somePrefix, fc.nat(128), (outer, other, longer) => {
        const length = Math.min(addressBits(outer), prefixLength(outer) + longer);
        for (const inner of [other, masked(networkAddress(outer), length), outer])
          expect(containsPrefix(outer, inner)).to.equal(
            familyOf(outer) === familyOf(inner) && networkBits(inner).startsWith(networkBits(outer)),
          );
      }),
    );
  });

  it('orders IPv4 before IPv6, then by number, then the shorter prefix first', () => {
    fc.assert(
      fc.property(fc.array(someAddress), fc.array(somePrefix), (addresses, prefixes) => {
        expect(addresses.toSorted(compareAddresses)).to.deep.equal(sortBy(addresses, bits));
        expect(prefixes.toSorted(comparePrefixes)).to.deep.equal(
          sortBy(prefixes, (p) => `${bits(networkAddress(p))} ${String(prefixLength(p)).padStart(3, '0')}`),
        );
      }),
    );
  });

  it('accepts text only as digits, dots, colons and a length', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f.:/]{1,20}$/)), (text) => {
        for (const parsed of [parseAddress(text), parsePrefix(text)])
          if (parsed !== undefined) expect(parsed).to.match(/^[0-9a-f.:]+(\/\d{1,3})?$/);
      }),
      { numRuns: 1000 },
    );
  });
});

function hex(words: readonly number[]): string {
  return words.map((item) => item.toString(16)).join(':');
}

/** All bits of an address, written out by the slow road. */
function bits(a: Address): string {
  if (familyOf(a) === 4)
    return a
      .split('.')
      .map((item) => Number(item).toString(2).padStart(8, '0'))
      .join('');
  const [left = '', right] = a.split('::');
  const [head, tail] = [left, right ?? ''].map((part) => part.split(':').filter((item) => item !== ''));
  const zeros = new Array<string>(8 - head!.length - tail!.length).fill('0');
  return [...head!, ...zeros, ...tail!]
    .map((item) => parseInt(item, 16).toString(2).padStart(16, '0'))
    .join('');
}

function networkBits(p: Prefix): string {
  return bits(networkAddress(p)).slice(0, prefixLength(p));
}

function fromBits(text: string): Address {
  const size = text.length === 32 ? 8 : 16;
  const parts = Array.from({ length: text.length / size }, (_, i) =>
    parseInt(text.slice(i * size, (i + 1) * size), 2),
  );
  return address(size === 8 ? parts.join('.') : hex(parts));
}

function masked(base: Address, length: number): Prefix {
  const kept = bits(base).slice(0, length);
  return prefix(`${fromBits(kept.padEnd(addressBits(base), '0'))}/${length}`);
}

/** An address inside `p`, its last bits taken from `other` when that is of the same family. */
function withHostBits(p: Prefix, other: Address): Address {
  const rest = familyOf(p) === familyOf(other) ? bits(other) : '1'.repeat(addressBits(p));
  return fromBits(networkBits(p) + rest.slice(prefixLength(p)));
}

function sortBy<T extends Address | Prefix>(items: readonly T[], key: (item: T) => string): T[] {
  const keyed = items.map((item) => ({ item, key: `${familyOf(item)} ${key(item)}` }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ item }) => item);
}
