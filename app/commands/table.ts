// Columns under headings, for people. Widths are counted before colours are put on; the last column is not padded.

export interface Cell {
  readonly text: string;
  readonly colour?: Colour;
}

export type Colour = 'red' | 'yellow' | 'green' | 'bold';

/** Puts a colour on, or does not. */
export type Paint = (text: string, colour: Colour | undefined) => string;

const CODES: Readonly<Record<Colour, number>> = { bold: 1, red: 31, green: 32, yellow: 33 };

export function painter(isColoured: boolean): Paint {
  return (text, colour) =>
    isColoured && colour !== undefined && text !== '' ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
}

/** Only on a terminal that can, and not where NO_COLOR (no-color.org) is set to anything. */
export function wantsColour(
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  return isTerminal && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
}

/** Lines with two blanks between columns; no line has blanks at its end. Empty cells show as `-`. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly (string | Cell)[])[],
  paint: Paint,
): string {
  const cells = rows.map((row) => row.map(asCell));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => row[column]?.text.length ?? 0)),
  );
  const line = (row: readonly Cell[]): string =>
    row
      .map(({ text, colour }, column) => {
        const isLast = column === row.length - 1;
        return paint(text, colour) + (isLast ? '' : ' '.repeat((widths[column] ?? 0) - text.length));
      })
      .join('  ');
  return [headings.map((text): Cell => ({ text, colour: 'bold' })), ...cells]
    .map((row) => `${line(row)}\n`)
    .join('');
}

function asCell(cell: string | Cell): Cell {
  const { text, ...rest } = typeof cell === 'string' ? { text: cell } : cell;
  return { text: text === '' ? '-' : oneLine(text), ...rest };
}

/** Text of other programs on one line, without what a terminal would act on. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}
