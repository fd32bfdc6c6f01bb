import { expect } from 'chai';
import { age } from '../../../app/commands/age.ts';
import { oneLine, painter, table, wantsColour } from '../../../app/commands/table.ts';

describe('table', () => {
  it('aligns columns, colours without moving them, and shows what is empty', () => {
    const rows = [
      ['a', { text: 'wrong', colour: 'red' as const }, ''],
      ['longer', 'ok', 'x'],
    ];
    const plain = 'NAME    STATE  MORE\na       wrong  -\nlonger  ok     x\n';
    expect(table(['NAME', 'STATE', 'MORE'], rows, painter(false))).to.equal(plain);
    const coloured = table(['NAME', 'STATE', 'MORE'], rows, painter(true));
    expect(coloured).to.contain('\u001b[31mwrong\u001b[0m');
    // eslint-disable-next-line no-control-regex
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).to.equal(plain);
  });

  it('lets nothing through that a terminal would act on', () => {
    expect(oneLine('a\u001b[2Jb\r\nc\u2028d\u202ee')).to.equal('a [2Jb c d e');
  });
});

describe('wantsColour', () => {
  for (const { isTerminal, environment, expected } of [
    { isTerminal: true, environment: {}, expected: true },
    { isTerminal: false, environment: {}, expected: false },
    { isTerminal: true, environment: { NO_COLOR: '1' }, expected: false },
    { isTerminal: true, environment: { NO_COLOR: '' }, expected: true },
    { isTerminal: true, environment: { TERM: 'dumb' }, expected: false },
  ])
    it(`${String(isTerminal)} ${JSON.stringify(environment)}: ${String(expected)}`, () =>
      expect(wantsColour(isTerminal, environment)).to.equal(expected));
});

describe('age', () => {
  const nowMs = Date.parse('2026-01-10T00:00:00Z');
  for (const [time, text] of [
    ['2026-01-09T23:59:15Z', '45s'],
    ['2026-01-09T23:00:00Z', '60m'],
    ['2026-01-09T12:00:00Z', '12h'],
    ['2026-01-05T00:00:00Z', '5d'],
    ['2026-01-10T00:00:09Z', '0s'],
    ['yesterday', ''],
    [undefined, ''],
  ] as const)
    it(`${time ?? 'none'}: ${text}`, () => expect(age(time, nowMs)).to.equal(text));
});
