// The table of settings for people: what `--help` prints and docs/reference/settings.md says. Pure; the table is settings.ts's.
import { allowedWords, SETTINGS, type Setting } from './settings.ts';

const READERS: Readonly<Record<Setting['program'], string>> = {
  both: 'manager and agent',
  manager: 'manager',
  agent: 'agent',
};

/** The environment variables by the program that reads them, one a line. */
export function settingsHelp(): string {
  const groups = Map.groupBy(Object.values<Setting>(SETTINGS), ({ program }) => program);
  return [...groups]
    .map(([program, settings]) => `environment of ${READERS[program]}:\n${settings.map(helpLine).join('')}`)
    .join('');
}

function helpLine(setting: Setting): string {
  const allowed = setting.form === undefined ? allowedWords(setting) : '';
  const ends = [allowed, defaultWords(setting)].filter((end) => end !== '').join('; ');
  return `  ${setting.env.padEnd(19)} ${setting.help} (${ends})\n`;
}

function defaultWords(setting: Setting): string {
  const value = defaultOf(setting);
  if (value === undefined) return 'must be set';
  return value === '' ? 'empty by default' : `default ${value}`;
}

function defaultOf({ schema }: Setting): string | undefined {
  const value = schema['default'] as string | number | undefined;
  return value === undefined ? undefined : String(value);
}

/** Rows of a Markdown table with its head: variable, reader, default, what may be set, meaning. */
export function settingsTable(): string[] {
  return [
    '| variable | read by | default | allowed | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...Object.values<Setting>(SETTINGS).map((setting) => {
      const value = defaultOf(setting);
      const defaults = value === undefined ? 'must be set' : value === '' ? 'empty' : `\`${value}\``;
      const cells = [
        `\`${setting.env}\``,
        READERS[setting.program],
        defaults,
        allowedWords(setting),
        setting.help,
      ];
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
    }),
  ];
}
