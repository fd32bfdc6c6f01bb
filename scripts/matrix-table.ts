// Puts the rows that a run of the matrix recorded (test/testbed/matrix/suite.ts, one JSON object a line) into the table of
// docs/plaintext-matrix.md and prints them. Rows that were not run keep the line they have.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Recorded } from '../test/testbed/matrix/suite.ts';

const PAGE = join(import.meta.dirname, '../docs/plaintext-matrix.md');
const BEGIN = '<!-- rows: written by scripts/testbed --all -->';
const END = '<!-- end of rows -->';

const [, , resultsFile = ''] = process.argv;
const recorded = readFileSync(resultsFile, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Recorded);
const page = readFileSync(PAGE, 'utf8');
const [before = '', rest = ''] = page.split(BEGIN);
const [table = '', after = ''] = rest.split(END);
const lines = new Map(
  table
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| event') && !line.startsWith('| ---'))
    .map((line) => [line.split(' | ')[0]?.slice(2) ?? '', line]),
);
for (const row of recorded) {
  const line = lineOf(row);
  lines.set(row.event, line);
  console.log(line);
}
const head =
  '| event | plaintext | lost (bound) | control lost | back after, ms (bound) | requests a second | load | verdict |';
const ruler = '| --- | --- | --- | --- | --- | --- | --- | --- |';
writeFileSync(PAGE, `${before}${BEGIN}\n${[head, ruler, ...lines.values()].join('\n')}\n${END}${after}`);

function lineOf({ event, bounds, rows, verdict }: Recorded): string {
  const each = (number: (row: Recorded['rows'][number]) => number): string => rows.map(number).join(', ');
  const bound = (value: number | undefined): string => (value === undefined ? '' : ` (${value})`);
  const plaintext = each((row) => row.plaintext) + (bounds.mayBePlain === true ? ' (no bound)' : '');
  return `| ${[
    event,
    plaintext,
    each((row) => row.lost) + bound(bounds.lost),
    each((row) => row.controlLost),
    bounds.holeWithinMs === undefined
      ? each((row) => row.backAfterMs) + bound(bounds.backWithinMs)
      : `hole of ${each((row) => row.holeMs)}${bound(bounds.holeWithinMs)}`,
    each((row) => row.rate),
    each((row) => row.load),
    verdict,
  ].join(' | ')} |`;
}
