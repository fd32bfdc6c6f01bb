// A VICI message: a tree of sections, lists and values as bytes (strongSwan src/libcharon/plugins/vici/README.md,
// "Message format"). What a message is wrapped in is packet.ts; what its keys mean is charon.ts and its callers.
import type { Tree, TreeValue } from '../swanctl/tree.ts';
import { ByteWriter } from './bytes.ts';
import { ViciProtocolError } from './errors.ts';

const SECTION_START = 1;
const SECTION_END = 2;
const KEY_VALUE = 3;
const LIST_START = 4;
const LIST_ITEM = 5;
const LIST_END = 6;

/** charon's own messages are five sections deep; anything far beyond that is not one of them. */
export const MAX_DEPTH = 16;

const MAX_NAME_BYTES = 0xff;
const MAX_VALUE_BYTES = 0xffff;

/** Names that charon reads as names (`chunk_printable` in vici_message.c); with any other it drops the whole message. */
const NAME = /^[\x20-\x7e]+$/;

/** Appends the message's bytes. Throws ViciProtocolError for names and values that VICI cannot carry. */
export function writeMessage(writer: ByteWriter, tree: Tree): void {
  writeSection(writer, tree, 0);
}

export function encodeMessage(tree: Tree): Buffer {
  const writer = new ByteWriter();
  writeMessage(writer, tree);
  return writer.bytes();
}

function writeSection(writer: ByteWriter, tree: Tree, depth: number): void {
  if (depth > MAX_DEPTH) throw refused(`sections are nested more than ${MAX_DEPTH} deep`);
  for (const [name, value] of Object.entries<TreeValue>(tree)) {
    if (typeof value === 'string') {
      writer.byte(KEY_VALUE);
      writeName(writer, name);
      writeValue(writer, name, value);
    } else if (isList(value)) {
      writer.byte(LIST_START);
      writeName(writer, name);
      for (const item of value) {
        writer.byte(LIST_ITEM);
        writeValue(writer, name, item);
      }
      writer.byte(LIST_END);
    } else {
      writer.byte(SECTION_START);
      writeName(writer, name);
      writeSection(writer, value, depth + 1);
      writer.byte(SECTION_END);
    }
  }
}

/** One length byte and the name; also how packets carry theirs. */
export function writeName(writer: ByteWriter, name: string): void {
  if (name.length > MAX_NAME_BYTES) throw refused(`name of ${name.length} bytes: "${name.slice(0, 40)}..."`);
  if (!NAME.test(name)) throw refused(`name ${JSON.stringify(name)} is empty or not printable ASCII`);
  writer.byte(name.length);
  writer.text(name);
}

function writeValue(writer: ByteWriter, name: string, value: string): void {
  // A lone surrogate would silently become another character.
  if (!value.isWellFormed()) throw refused(`value of "${name}" is not well-formed text`);
  const size = Buffer.byteLength(value);
  if (size > MAX_VALUE_BYTES)
    throw refused(`value of "${name}" has ${size} bytes, VICI carries ${MAX_VALUE_BYTES}`);
  writer.uint16(size);
  writer.text(value);
}

interface Section {
  readonly tree: Record<string, TreeValue>;
  /** How often a name of a repeated section was seen; made when the first repeat comes. */
  repeats?: Map<string, number>;
}

/**
 * The tree in these bytes; every section has a null prototype, so that no name means more than a name.
 *
 * A section name that comes again in the same section is kept as `name#2`, `name#3`...: the format does not forbid it,
 * and a foreign connection must not make charon unreadable; no name of ours has a `#`. A key or list that comes again,
 * which the format forbids, is a ViciProtocolError, as is everything truncated, unbalanced, nested too deep or unknown.
 * Values are taken as UTF-8; bytes that are not become U+FFFD, since charon's texts are the only values we ask for.
 */
export function decodeMessage(bytes: Buffer): Tree {
  const cursor = { bytes, at: 0 };
  let current = newSection();
  const root = current.tree;
  const outer: Section[] = [];
  while (cursor.at < bytes.length) {
    const type = bytes[cursor.at++];
    switch (type) {
      case SECTION_START: {
        if (outer.length === MAX_DEPTH) throw broken(cursor, `sections nested more than ${MAX_DEPTH} deep`);
        const inner = newSection();
        current.tree[freeSectionName(current, readName(cursor))] = inner.tree;
        outer.push(current);
        current = inner;
        break;
      }
      case SECTION_END: {
        const parent = outer.pop();
        if (parent === undefined) throw broken(cursor, 'section end without a section');
        current = parent;
        break;
      }
      case KEY_VALUE:
        current.tree[freeName(cursor, current.tree)] = readValue(cursor);
        break;
      case LIST_START:
        current.tree[freeName(cursor, current.tree)] = readItems(cursor);
        break;
      case LIST_ITEM:
      case LIST_END:
        throw broken(cursor, `list ${type === LIST_ITEM ? 'item' : 'end'} outside a list`);
      default:
        throw broken(cursor, `unknown element type ${String(type)}`);
    }
  }
  if (outer.length > 0) throw broken(cursor, `${outer.length} sections not closed`);
  return root;
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

function readItems(cursor: Cursor): string[] {
  const items: string[] = [];
  for (;;) {
    const type = readByte(cursor);
    if (type === LIST_END) return items;
    if (type !== LIST_ITEM) throw broken(cursor, `element type ${type} inside a list`);
    items.push(readValue(cursor));
  }
}

/** Reads a name that must not be taken yet. */
function freeName(cursor: Cursor, tree: Record<string, TreeValue>): string {
  const name = readName(cursor);
  if (name in tree) throw broken(cursor, `key "${name}" twice in one section`);
  return name;
}

function freeSectionName(section: Section, name: string): string {
  if (!(name in section.tree)) return name;
  const repeats = (section.repeats ??= new Map<string, number>());
  let count = repeats.get(name) ?? 1;
  let free: string;
  do free = `${name}#${++count}`;
  while (free in section.tree);
  repeats.set(name, count);
  return free;
}

function readName(cursor: Cursor): string {
  return readText(cursor, readByte(cursor));
}

function readValue(cursor: Cursor): string {
  const high = readByte(cursor);
  return readText(cursor, high * 256 + readByte(cursor));
}

function readByte(cursor: Cursor): number {
  const byte = cursor.bytes[cursor.at];
  if (byte === undefined) throw broken(cursor, 'message ends within an element');
  cursor.at += 1;
  return byte;
}

function readText(cursor: Cursor, size: number): string {
  const end = cursor.at + size;
  if (end > cursor.bytes.length) throw broken(cursor, `${size} bytes announced, the message ends before`);
  const text = cursor.bytes.toString('utf8', cursor.at, end);
  cursor.at = end;
  return text;
}

function newSection(): Section {
  return { tree: Object.create(null) as Record<string, TreeValue> };
}

function isList(value: TreeValue): value is readonly string[] {
  return Array.isArray(value);
}

function broken(cursor: Cursor, what: string): ViciProtocolError {
  return new ViciProtocolError(`charon's message is broken near byte ${cursor.at}: ${what}`);
}

function refused(what: string): ViciProtocolError {
  return new ViciProtocolError(`not sent: ${what}`, 'on-change');
}
