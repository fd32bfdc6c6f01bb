// Writes the generated files of the chart out of chart-values.ts: values.yaml, values.schema.json, README.md and the pods'
// environment. `node scripts/generate-chart.ts`; a test fails when what is committed is something else.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import { dashboardJson } from './dashboard.ts';
import { chartValues, environment, PROGRAMS, type ChartValue, type Program } from './chart-values.ts';

const NOTICE =
  'Written by `node scripts/generate-chart.ts`: change scripts/chart-values.ts or app/runtime/settings.ts.';

/** The generated files by their path in the chart. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const values = chartValues();
  return new Map([
    ['values.yaml', valuesYaml(values)],
    ['values.schema.json', `${JSON.stringify(valuesSchema(values), undefined, 2)}\n`],
    ['README.md', readme(values)],
    ['files/dashboard.json', dashboardJson()],
    ['templates/_settings.tpl', PROGRAMS.map(settingsTemplate).join('\n')],
  ]);
}

interface Branch {
  readonly [key: string]: Branch | ChartValue;
}

function isValue(node: Branch | ChartValue): node is ChartValue {
  return Array.isArray((node as Partial<ChartValue>).path);
}

/** Values below their paths, in the order of the table. */
function tree(values: readonly ChartValue[], depth = 0): Branch {
  const groups = Map.groupBy(values, ({ path }) => path[depth] ?? '');
  return Object.fromEntries(
    [...groups].map(([key, group]) => {
      const [only] = group;
      return [key, only?.path.length === depth + 1 ? only : tree(group, depth + 1)];
    }),
  );
}

function valuesYaml(values: readonly ChartValue[]): string {
  const lines = (branch: Branch, indent: string): string[] =>
    Object.entries(branch).flatMap(([key, node]) =>
      isValue(node)
        ? [
            `${indent}# ${node.help}${allowed(node)}`,
            ...dump({ [key]: node.default }, { quoteStyle: 'single' })
              .trimEnd()
              .split('\n')
              .map((line) => indent + line),
          ]
        : [`${indent}${key}:`, ...lines(node, `${indent}  `)],
    );
  return [`# ${NOTICE}`, ...lines(tree(values), ''), ''].join('\n');
}

/** Refuses unknown keys everywhere; helm itself adds `global`. */
function valuesSchema(values: readonly ChartValue[]): object {
  const object = (branch: Branch): object => ({
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(branch).map(([key, node]) => [
        key,
        isValue(node) ? { description: node.help, ...node.schema } : object(node),
      ]),
    ),
    // All have defaults, so that what is missing was taken away by `null`.
    required: Object.keys(branch),
    additionalProperties: false,
  });
  return { $schema: 'http://json-schema.org/draft-07/schema#', ...object(tree(values)) };
}

function readme(values: readonly ChartValue[]): string {
  const rows = values.map((value) => {
    const name = value.path.map((part) => part.replaceAll('.', '\\.')).join('.');
    const help = `${value.help}${allowed(value)}`.replaceAll('|', '\\|');
    return `| \`${name}\` | \`${JSON.stringify(value.default)}\` | ${help} |`;
  });
  return `# Chart of ipsec-policy-operator

<!-- ${NOTICE} -->

The custom resource definitions, the manager (a Deployment on the controllers, of which one leads), the agent (a DaemonSet on
every host with the label \`ipsec-policy-agent-operator=enabled\`), their rights, and a hook that takes all protection away
before the chart is deleted. StarlingX installs it as the application \`ipsec-policy-operator\`; name of the release and
namespace are the same.

Values are changed by the platform's overrides, a file or single values, and take effect when the application is applied:

\`\`\`
system helm-override-update ipsec-policy-operator ipsec-policy-operator ipsec-policy-operator --reuse-values --set manager.settings.guardMode=observe
system application-apply ipsec-policy-operator
\`\`\`

A value that is not in this table, or not of its kind, is refused with its name.

| value | default | meaning |
| --- | --- | --- |
${rows.join('\n')}
`;
}

/** What may be set, in words, out of the schema. */
function allowed({ schema }: ChartValue): string {
  const { enum: choices, minimum, maximum } = schema;
  if (Array.isArray(choices)) return ` (${choices.join(', ')})`;
  return typeof minimum === 'number' && typeof maximum === 'number' ? ` (${minimum} to ${maximum})` : '';
}

function settingsTemplate(program: Program): string {
  const lines = environment(program).flatMap(({ env, from }) =>
    'fieldPath' in from
      ? [`- name: ${env}`, '  valueFrom:', '    fieldRef:', `      fieldPath: ${from.fieldPath}`]
      : [`- name: ${env}`, `  value: {{ ${from.template} | quote }}`],
  );
  return [
    `{{/* ${NOTICE} */}}`,
    `{{- define "ipsec-policy-operator.${program}-settings" -}}`,
    ...lines,
    '{{- end }}',
    '',
  ].join('\n');
}

if (import.meta.main) {
  const chart = join(import.meta.dirname, '../charts/ipsec-policy-operator');
  for (const [path, text] of generatedFiles()) writeFileSync(join(chart, path), text);
}
