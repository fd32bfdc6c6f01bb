// Writes docs/reference/settings.md out of the table of settings: `node scripts/generate-settings-page.ts`. A test fails when
// what is committed is something else.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { settingsTable } from '../app/runtime/settings-text.ts';

export const SETTINGS_PAGE = join(import.meta.dirname, '../docs/reference/settings.md');

/** The text of the page. */
export function settingsPage(): string {
  return `# Settings

<!-- Written by \`node scripts/generate-settings-page.ts\`: change app/runtime/settings.ts. -->

Manager and agent read their settings once, from the environment; \`ipsec-policy-operator --help\` lists them too. On StarlingX nobody
sets them by hand: the chart does, out of its values (\`charts/ipsec-policy-operator/README.md\`), which \`system helm-override-update\`
changes. A setting that is missing or wrong ends the program with one line that names it and says what may be set. \`withdraw\`
reads the manager's.

${settingsTable().join('\n')}
`;
}

if (import.meta.main) {
  mkdirSync(dirname(SETTINGS_PAGE), { recursive: true });
  writeFileSync(SETTINGS_PAGE, settingsPage());
}
