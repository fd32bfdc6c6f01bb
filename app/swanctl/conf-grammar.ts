// The grammar of our own file as lines: sections, `key = value`, comments. A small part of what strongSwan reads, and
// only such text that strongSwan reads the same way. What keys and values mean is conf-parse.ts's business.

/** One section with the line each thing stands on. */
export interface ConfSection {
  readonly line: number;
  readonly values: Map<string, { readonly text: string; readonly line: number }>;
  readonly sections: Map<string, ConfSection>;
  /** Comments that stand directly before this section's opening line, without `#` and blanks. */
  readonly comments: readonly { readonly text: string; readonly line: number }[];
}

/** What is wrong, on which line (from 1). */
export class ConfSyntaxError extends Error {
  readonly line: number;
  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

const SECTION_START = /^([A-Za-z0-9_-]+) \{$/;
/** Bare values hold no quote, brace, hash or backslash; quoted ones no quote and no backslash: nothing needs unescaping. */
const VALUE = /^([a-z_]+) = (?:"([^"\\]*)"|([^\s"{}#\\=][^"{}#\\=]*))$/;

interface OpenSection extends ConfSection {
  readonly name: string;
}

/** The whole file as one section. Throws ConfSyntaxError. */
export function parseConf(text: string): ConfSection {
  const root = open('', 0, []);
  const path: OpenSection[] = [root];
  let comments: { text: string; line: number }[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1;
    if (!/^[\x20-\x7e]*$/.test(raw))
      throw new ConfSyntaxError(line, 'a character that is not printable ASCII');
    const trimmed = raw.trim();
    if (trimmed.startsWith('#')) comments.push({ text: trimmed.slice(1).trim(), line });
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    readLine(path, trimmed, line, comments);
    comments = [];
  }
  if (path.length > 1)
    throw new ConfSyntaxError(current(path).line, `section "${current(path).name}" is not closed`);
  return root;
}

function readLine(
  path: OpenSection[],
  trimmed: string,
  line: number,
  comments: ConfSection['comments'],
): void {
  if (trimmed === '}') return closeSection(path, line);
  const start = trimmed.endsWith('{') ? SECTION_START.exec(trimmed)?.[1] : undefined;
  if (start !== undefined) return openSection(path, start, line, comments);
  const value = VALUE.exec(trimmed);
  if (value === null)
    throw new ConfSyntaxError(line, `neither a section, a value nor a comment: ${shown(trimmed)}`);
  addValue(current(path), value, line);
}

function closeSection(path: OpenSection[], line: number): void {
  if (path.length === 1) throw new ConfSyntaxError(line, 'a closing brace too many');
  path.pop();
}

function openSection(
  path: OpenSection[],
  name: string,
  line: number,
  comments: ConfSection['comments'],
): void {
  const parent = current(path);
  // strongSwan would merge the two; for us that is a mistake.
  if (parent.sections.has(name) || parent.values.has(name))
    throw new ConfSyntaxError(line, `"${name}" stands here twice`);
  const section = open(name, line, comments);
  parent.sections.set(name, section);
  path.push(section);
}

function addValue(section: OpenSection, match: RegExpExecArray, line: number): void {
  const [, key = '', quoted, bare] = match;
  if (section.values.has(key) || section.sections.has(key))
    throw new ConfSyntaxError(line, `"${key}" stands here twice`);
  section.values.set(key, { text: quoted ?? bare ?? '', line });
}

function open(name: string, line: number, comments: ConfSection['comments']): OpenSection {
  return { name, line, values: new Map(), sections: new Map(), comments };
}

function current(path: readonly OpenSection[]): OpenSection {
  const last = path.at(-1);
  if (last === undefined) throw new Error('no section is open');
  return last;
}

/** A short, printable quotation for a message. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
