// Writes docs/how-to/troubleshoot.md of the table of faults (test/testbed/faults/table.ts) and of what the last run of its test saw
// (seen.json beside it, written with FAULTS_SEEN). A test says when the page is not of today's table.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isNone, SIGN_NAMES, type Fault, type Seen, type SignName } from '../test/testbed/faults/fault.ts';
import { CLIENT_HOST, FAULTS, POLICY, SERVER_HOST } from '../test/testbed/faults/table.ts';

const ROOT = join(import.meta.dirname, '..');
export const PAGE = join(ROOT, 'docs/how-to/troubleshoot.md');
const SEEN = join(ROOT, 'test/testbed/faults/seen.json');

export function troubleshootPage(): string {
  const seen = JSON.parse(readFileSync(SEEN, 'utf8')) as Readonly<Record<string, Seen>>;
  const parts = FAULTS.map((fault) => section(fault, seen[fault.name]));
  return `${HEAD}\n${contents()}\n${parts.join('\n')}`;
}

const HEAD = `# What is wrong, and what to do

Written by \`node scripts/troubleshoot.ts\` from the table that the testbed works through (\`test/testbed/faults\`): each fault is made there, on
hosts with real charon, ESP, nftables and a real API server, and each sign must be there within 30 s. Outputs and times below are of such a run, on a slow
machine; a policy \`${POLICY}\` protects a service whose endpoint is on ${SERVER_HOST} and whose client is on ${CLIENT_HOST}.

Look in this order:

| look | at | for |
| --- | --- | --- |
| 1 | \`node ipsec-policy-operator.mjs status\` in the manager's pod (\`kubectl -n ipsec-policy-operator exec deploy/ipsec-policy-manager -- /usr/bin/node /opt/ipsec-policy-operator/ipsec-policy-operator.mjs status\`) | everything at a glance, worst first |
| 2 | \`kubectl describe ipsecpolicies <name>\` | conditions of a policy, with what to do, and its events |
| 3 | \`kubectl events --for ipsechostreports/<host>\` | what began and what ended on a host |
| 4 | \`/metrics\` of the agents and of the manager | since when, and how often ([metrics](../reference/metrics.md)) |

What has no tunnel is held by the guard, unless it is said otherwise below; what was measured of that is in [the matrix](../plaintext-matrix.md).
`;

function contents(): string {
  return `${FAULTS.map(({ name }) => `- [${title(name)}](#${anchor(name)})`).join('\n')}\n`;
}

function section(fault: Fault, seen: Seen | undefined): string {
  const { name, lab, cure } = fault;
  const parts = [
    `## ${title(name)}\n`,
    `In the testbed: ${lab}.\n`,
    ...(seen === undefined
      ? []
      : ['```', ...SIGN_NAMES.flatMap((sign) => signLine(fault, seen, sign)), '```\n']),
    ...reasons(fault),
    ...(seen === undefined ? [] : [times(seen), ...screens(seen)]),
    'What to do:\n',
    ...cure.map((step) => `- ${step}`),
  ];
  return `${parts.join('\n')}\n`;
}

function signLine({ signs }: Fault, { text }: Seen, name: SignName): string[] {
  const words = text[name];
  if (words === undefined) return [];
  const { metric } = signs;
  const of =
    name === 'metric' && !isNone(metric)
      ? ` (${metric.of === 'manager' ? 'manager' : `agent of ${metric.of}`})`
      : '';
  return [`${name.padEnd(10)} ${words}${of}`];
}

/** Why there is no sign where there is none. */
function reasons({ signs }: Fault): string[] {
  const none = SIGN_NAMES.flatMap((name) => {
    const sign = signs[name];
    return isNone(sign) ? [`- no ${name === 'status' ? 'line of `status`' : name}: ${sign.none}`] : [];
  });
  return none.length === 0 ? [] : [...none, ''];
}

function times({ seconds, recovered }: Seen): string {
  const found = SIGN_NAMES.flatMap((name) =>
    seconds[name] === undefined ? [] : [`${name} ${seconds[name]} s`],
  );
  const over = Object.entries(recovered).map(([name, value]) => `${name} ${value} s`);
  return `Seen after: ${found.join(', ')}.${over.length === 0 ? '' : ` Its end after it was mended: ${over.join(', ')}.`}\n`;
}

function screens({ screens: all = {} }: Seen): string[] {
  return Object.entries(all).map(
    ([command, output]) => `\`\`\`\n$ ${command}\n${output.trimEnd()}\n\`\`\`\n`,
  );
}

function title(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}

function anchor(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}

if (import.meta.main) writeFileSync(PAGE, troubleshootPage());
