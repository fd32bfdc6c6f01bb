// The bytes of VICI messages: known ones, any tree there and back, and everything that must be refused.
import { expect } from 'chai';
import fc from 'fast-check';
import type { Tree } from '../../app/swanctl/tree.ts';
import { ViciProtocolError } from '../../app/vici/errors.ts';
import { decodeMessage, encodeMessage, MAX_DEPTH } from '../../app/vici/message.ts';

const name = (text: string): string => String.fromCharCode(text.length) + text;
const value = (text: string): string => String.fromCharCode(text.length >> 8, text.length & 255) + text;
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The example of strongSwan's own description of the protocol (vici/README.md, "Encoding example"). */
const EXAMPLE_TREE: Tree = {
  key1: 'value1',
  section1: { 'sub-section': { key2: 'value2' }, list1: ['item1', 'item2'] },
};
const EXAMPLE_BYTES = bytes(
  [
    '\x03\x04key1\x00\x06value1',
    '\x01\x08section1',
    '\x01\x0bsub-section',
    '\x03\x04key2\x00\x06value2',
    '\x02',
    '\x04\x05list1\x05\x00\x05item1\x05\x00\x05item2\x06',
    '\x02',
  ].join(''),
);

const names = fc
  .array(fc.integer({ min: 0x20, max: 0x7e }), { minLength: 1, maxLength: 12 })
  .map((codes) => String.fromCharCode(...codes));
const texts = fc.string({ unit: 'grapheme', maxLength: 20 });
const anyTree = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.dictionary(
    fc.oneof(names, fc.constantFrom('__proto__', 'constructor', 'toString', '7')),
    fc.oneof({ depthSize: 'small' }, texts, fc.array(texts, { maxLength: 4 }), tie('tree')),
    { maxKeys: 5 },
  ),
})).tree;

describe('encodeMessage and decodeMessage', () => {
  it('agree with the example of the protocol description', () => {
    expect(encodeMessage(EXAMPLE_TREE)).to.deep.equal(EXAMPLE_BYTES);
    expect(decodeMessage(EXAMPLE_BYTES)).to.deep.equal(EXAMPLE_TREE);
  });

  it('turn an empty tree into no bytes, and keep empty lists, sections and values', () => {
    expect(encodeMessage({}).length).to.equal(0);
    const tree: Tree = { list: [], section: {}, value: '', items: [''] };
    expect(decodeMessage(encodeMessage(tree))).to.deep.equal(tree);
  });

  it('give back any tree', () => {
    fc.assert(
      fc.property(anyTree, (tree) => {
        expect(plain(decodeMessage(encodeMessage(tree)))).to.equal(plain(tree));
      }),
      { numRuns: 500 },
    );
  });

  it('carry the longest name and the longest value', () => {
    const tree: Tree = { ['n'.repeat(255)]: 'v'.repeat(65535), list: ['ü'.repeat(32767)] };
    expect(decodeMessage(encodeMessage(tree))).to.deep.equal(tree);
  });
});

describe('encodeMessage', () => {
  const refused: { given: string; tree: Tree; says: RegExp }[] = [
    { given: 'a name of 256 bytes', tree: { ['n'.repeat(256)]: 'x' }, says: /name of 256 bytes/ },
    { given: 'an empty name', tree: { '': 'x' }, says: /empty/ },
    { given: 'a name with a line break', tree: { 'a\nb': {} }, says: /printable/ },
    { given: 'a name that is not ASCII', tree: { é: [] }, says: /printable/ },
    { given: 'a value of 65536 bytes', tree: { a: 'v'.repeat(65536) }, says: /65536 bytes/ },
    {
      given: 'an item that is too long in UTF-8 only',
      tree: { a: ['ü'.repeat(32768)] },
      says: /65536 bytes/,
    },
    { given: 'a lone surrogate', tree: { a: '\ud800' }, says: /well-formed/ },
    { given: 'sections nested too deep', tree: nested(MAX_DEPTH + 1), says: /nested/ },
  ];
  for (const { given, tree, says } of refused)
    it(`refuses ${given}, and says that only another configuration helps`, () => {
      expect(() => encodeMessage(tree))
        .to.throw(ViciProtocolError, says)
        .with.property('retry', 'on-change');
    });
});

describe('decodeMessage', () => {
  const refused: { given: string; message: string; says: RegExp }[] = [
    { given: 'an unknown type', message: '\x07', says: /unknown element type 7/ },
    { given: 'type 0', message: '\x00', says: /unknown element type 0/ },
    { given: 'a section that is not closed', message: `\x01${name('a')}`, says: /not closed/ },
    { given: 'a section end too many', message: `\x01${name('a')}\x02\x02`, says: /without a section/ },
    { given: 'a list that is not closed', message: `\x04${name('a')}`, says: /ends within/ },
    { given: 'a list in a list', message: `\x04${name('a')}\x04${name('b')}\x06\x06`, says: /type 4 inside/ },
    {
      given: 'a section in a list',
      message: `\x04${name('a')}\x01${name('b')}\x02\x06`,
      says: /type 1 inside/,
    },
    {
      given: 'a key in a list',
      message: `\x04${name('a')}\x03${name('b')}${value('c')}\x06`,
      says: /type 3/,
    },
    { given: 'an item outside a list', message: `\x05${value('a')}`, says: /item outside/ },
    { given: 'a list end outside a list', message: '\x06', says: /end outside/ },
    { given: 'a name longer than the message', message: '\x03\xffabc', says: /255 bytes announced/ },
    { given: 'a value longer than the message', message: `\x03${name('a')}\xff\xffabc`, says: /65535 bytes/ },
    { given: 'a key twice', message: `\x03${name('a')}${value('1')}`.repeat(2), says: /"a" twice/ },
    { given: 'a list twice', message: `\x04${name('a')}\x06`.repeat(2), says: /"a" twice/ },
    {
      given: 'a key named as a section',
      message: `\x01${name('a')}\x02\x03${name('a')}${value('1')}`,
      says: /"a" twice/,
    },
    { given: 'sections nested too deep', message: `\x01${name('a')}`.repeat(MAX_DEPTH + 1), says: /deep/ },
    { given: 'half a million open sections', message: `\x01${name('')}`.repeat(170_000), says: /deep/ },
  ];
  for (const { given, message, says } of refused)
    it(`refuses ${given}`, () => {
      expect(() => decodeMessage(bytes(message))).to.throw(ViciProtocolError, says);
    });

  it('takes sections as deep as it writes them', () => {
    expect(decodeMessage(encodeMessage(nested(MAX_DEPTH)))).to.deep.equal(nested(MAX_DEPTH));
  });

  it('refuses a message cut at any byte, unless the cut is between two elements of the root', () => {
    const whole = [14, EXAMPLE_BYTES.length];
    for (let size = 1; size <= EXAMPLE_BYTES.length; size++) {
      const decode = (): Tree => decodeMessage(EXAMPLE_BYTES.subarray(0, size));
      if (whole.includes(size)) expect(decode()).to.have.property('key1', 'value1');
      else expect(decode, `cut after ${size} bytes`).to.throw(ViciProtocolError);
    }
  });

  it('ends with a tree or a ViciProtocolError, whatever the bytes', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 60 }).map((types) => Uint8Array.from(types)),
    );
    fc.assert(
      fc.property(noise, (given) => {
        try {
          decodeMessage(Buffer.from(given));
        } catch (error) {
          expect(error).to.be.instanceOf(ViciProtocolError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps every section of a repeated name', () => {
    const section = (text: string): string => `\x01${name('child')}\x03${name('k')}${value(text)}\x02`;
    const taken = `\x01${name('child#2')}\x02`;
    expect(decodeMessage(bytes(section('1') + taken + section('2') + section('3')))).to.deep.equal({
      child: { k: '1' },
      'child#2': {},
      'child#3': { k: '2' },
      'child#4': { k: '3' },
    });
  });

  it('counts 100,000 repeats in one go', () => {
    const before = process.cpuUsage();
    const tree = decodeMessage(bytes(`\x01${name('a')}\x02`.repeat(100_000)));
    expect(Object.keys(tree)).to.have.length(100_000);
    const { user, system } = process.cpuUsage(before);
    expect(user + system, 'microseconds of processor').to.be.below(2e6);
  });

  it('takes __proto__ for a name like any other', () => {
    const message = `\x01${name('__proto__')}\x03${name('polluted')}${value('yes')}\x02`;
    const tree = decodeMessage(bytes(message));
    expect(Object.getPrototypeOf(tree)).to.equal(null);
    expect(Object.keys(tree)).to.deep.equal(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
    expect(tree['polluted']).to.equal(undefined);
    expect('toString' in tree).to.equal(false);
  });

  it('reads bytes that are no UTF-8 as replacement characters', () => {
    expect(decodeMessage(bytes(`\x03${name('a')}${value('\xff!')}`))).to.deep.equal({ a: '\ufffd!' });
  });
});

function nested(depth: number): Tree {
  return depth === 0 ? { leaf: 'x' } : { a: nested(depth - 1) };
}

/** Comparable text: a prototype or an order of keys that JavaScript imposes is not what is compared. */
function plain(tree: Tree): string {
  return JSON.stringify(tree, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))
      : inner,
  );
}
