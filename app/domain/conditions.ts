// What do a policy's conditions say? Accepted, ResolvedRefs and Programmed in Gateway API's words, with the reasons of
// problem.ts. What stands in the way of Programmed: programmed.ts; rows and columns: policy-status.ts.
import { shorten } from './endpoint-problems.ts';
import { obstacles, type Obstacle, type StatusInput } from './programmed.ts';
import { compareProblems, compareText, type Problem, type ProblemReason } from './problem.ts';
import type { ResolvedRow } from './resolve-row.ts';

export type ConditionType = 'Accepted' | 'ResolvedRefs' | 'Programmed';

/** As Kubernetes writes them (meta/v1 Condition), without the time of the last transition: who writes it knows the last one. */
export interface PolicyCondition {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

const REFUSALS: readonly ProblemReason[] = ['InvalidPorts', 'TooManyFlows'];
const REFERENCES: readonly ProblemReason[] = [
  'ServiceNotFound',
  'ExternalNameService',
  'PortNotFound',
  'EndpointOnHostNetwork',
  'EndpointWithoutOwner',
  'EndpointHostMismatch',
];
const SENTENCES_AT_MOST = 5;
const MESSAGE_CHARACTERS = 2000;

/** The three conditions of a policy with these rows, in a fixed order. */
export function conditionsOf(rows: readonly ResolvedRow[], input: StatusInput): PolicyCondition[] {
  const problems = problemsOfRows(rows);
  const of = (reasons: readonly ProblemReason[]): Problem[] =>
    problems.filter(({ reason }) => reasons.includes(reason));
  return [
    condition('Accepted', of(REFUSALS), accepted(rows, input)),
    condition('ResolvedRefs', of(REFERENCES), 'All services and ports are found.'),
    condition('Programmed', obstacles(rows, input), programmed(input)),
  ];
}

/** All problems of a policy's rows, sorted, each once: for events too. */
export function problemsOfRows(rows: readonly ResolvedRow[]): Problem[] {
  return unique(rows.flatMap((row) => row.problems)).sort(compareProblems);
}

function problemKey({ reason, message }: Obstacle): string {
  return `${reason} ${message}`;
}

function unique<Item extends Obstacle>(items: readonly Item[]): Item[] {
  return [...new Map(items.map((item) => [problemKey(item), item])).values()];
}

/** Two policies on one service are no mistake, but who changes one of them must know of the other. */
function accepted(rows: readonly ResolvedRow[], { resolved }: StatusInput): string {
  const shared = rows.flatMap((row) => {
    const others = resolved.rows.filter(
      (other) => other.service === row.service && other.policy !== row.policy,
    );
    const names = [...new Set(others.filter((other) => other.accepted).map(({ policy }) => policy))];
    return names.length === 0 ? [] : [`${row.service} is also in ${shorten(names.sort(compareText), 3)}.`];
  });
  const distinct = [...new Set(shared)].sort(compareText);
  const union = distinct.length === 0 ? [] : ['The union of all rows about a service is protected.'];
  return joined(['All rows are accepted.', ...union, ...distinct]);
}

function programmed({ resolved }: StatusInput): string {
  const count = resolved.hosts.length;
  return `In force on ${count === 1 ? 'the one host' : `all ${count} hosts`} with an agent.`;
}

function condition(type: ConditionType, found: readonly Obstacle[], allWell: string): PolicyCondition {
  const [first] = found;
  return first === undefined
    ? { type, status: 'True', reason: type, message: allWell }
    : { type, status: 'False', reason: reasonWord(first.reason), message: sentences(found) };
}

/** A reason comes from another process: what is no CamelCase word would make the API server refuse the status. */
function reasonWord(reason: string): string {
  return /^[A-Za-z][A-Za-z0-9]{0,99}$/.test(reason) ? reason : 'LoadFailed';
}

function sentences(found: readonly Obstacle[]): string {
  return joined(unique(found).map(({ message }) => message));
}

function joined(all: readonly string[]): string {
  const rest = all.length - SENTENCES_AT_MOST;
  const text = all.slice(0, SENTENCES_AT_MOST).join(' ') + (rest > 0 ? ` And ${rest} more.` : '');
  return text.length > MESSAGE_CHARACTERS ? `${text.slice(0, MESSAGE_CHARACTERS - 3)}...` : text;
}
