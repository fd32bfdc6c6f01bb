// Which events does a pass call for? On a policy what is wrong with its rows and whether it is in force; on a host's report what
// is wrong there; on a Node why it cannot be a host of ours. What of it is news: news.ts.
import { problemsOfRows } from '../domain/conditions.ts';
import { hostFindings } from '../domain/host-findings.ts';
import type { Problem } from '../domain/problem.ts';
import type { StatusInput } from '../domain/programmed.ts';
import type { ResolvedRow } from '../domain/resolve-row.ts';
import type { ApiError } from '../kubernetes/api-error.ts';
import type { EventRecorder, Regarding } from '../kubernetes/events.ts';
import { NODES, POLICIES, REPORTS } from '../kubernetes/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { eachAlone } from './each-alone.ts';
import { news, type Finding, type News } from './news.ts';
import type { PolicyStanding } from './report-problems.ts';
import type { WorldSource } from './world-source.ts';

export interface EventReporterOptions {
  readonly events: EventRecorder;
  readonly source: Pick<WorldSource, 'nodes' | 'reports'>;
  readonly clock: Clock;
}

export interface EventsMade {
  /** What the API server refused. */
  readonly refusals: readonly ApiError[];
  /** When something may be news although nothing changes; Infinity: never. */
  readonly againMs: number;
}

/** `policies` as their objects stood before this pass wrote their status. */
export type EventReporter = (input: StatusInput, policies: readonly PolicyStanding[]) => Promise<EventsMade>;

/** What is still on its way is no news for so long. */
const PENDING_MS = 10_000;

interface Subject {
  readonly regarding: Regarding;
  readonly findings: readonly Finding[];
}

export function eventReporter({ events, source, clock }: EventReporterOptions): EventReporter {
  const memory = new Map<string, News>();
  return async (input, policies) => {
    const subjects = [
      ...ofPolicies(input, policies),
      ...ofNodes(input, source),
      ...ofReports(input, source, clock.now()),
    ];
    const present = new Set(subjects.map(({ regarding }) => regarding.uid));
    for (const uid of memory.keys()) if (!present.has(uid)) memory.delete(uid);
    const nowMs = clock.monotonic();
    const tasks = subjects.flatMap(({ regarding, findings }) => {
      const known = remembered(memory, regarding.uid);
      return known.due(findings, nowMs).map((note) => async () => {
        await events.say(regarding, note);
        known.said(note, nowMs);
      });
    });
    const refusals = await eachAlone(tasks, 1);
    const againMs = [...memory.values()].reduce(
      (least, known) => Math.min(least, known.againMs(nowMs)),
      Infinity,
    );
    return { refusals, againMs };
  };
}

function remembered(memory: Map<string, News>, uid: string): News {
  const known = memory.get(uid) ?? news();
  memory.set(uid, known);
  return known;
}

function ofPolicies({ resolved }: StatusInput, policies: readonly PolicyStanding[]): Subject[] {
  const ofRows = Map.groupBy(resolved.rows, (row) => row.policy);
  return policies.map((standing) => {
    const { name, uid } = standing.entry.value.policy;
    return {
      regarding: { resource: POLICIES, name, uid },
      findings: policyFindings(standing, ofRows.get(name) ?? []),
    };
  });
}

function policyFindings({ entry, wanted }: PolicyStanding, rows: readonly ResolvedRow[]): Finding[] {
  const programmed = wanted.conditions.find(({ type }) => type === 'Programmed');
  const before = entry.value.status?.conditions.find(({ type }) => type === 'Programmed');
  const { policy } = entry.value;
  const isGood = programmed?.status === 'True';
  return [
    ...problemsOfRows(rows).map(problemFinding),
    ...(programmed === undefined
      ? []
      : [
          {
            key: 'Programmed',
            reason: isGood ? 'Programmed' : 'NotProgrammed',
            subject: policy.name,
            message: isGood ? programmed.message : `${programmed.reason}: ${programmed.message}`,
            isGood,
            isNews: isGood && before?.status !== 'True',
            afterMs: programmed.reason === 'Pending' ? PENDING_MS : 0,
          },
        ]),
  ];
}

function ofNodes({ resolved }: StatusInput, { nodes }: Pick<WorldSource, 'nodes'>): Subject[] {
  const ofHosts = Map.groupBy(resolved.problems, ({ subject }) => subject);
  return nodes.values().map(({ name, uid }) => ({
    regarding: { resource: NODES, name, uid },
    findings: (ofHosts.get(name) ?? []).map(problemFinding),
  }));
}

function ofReports(
  { guardMode, overdue }: StatusInput,
  { reports }: Pick<WorldSource, 'reports'>,
  nowMs: number,
): Subject[] {
  return [...reports.items().values()].map(({ uid, value: { host, report } }) => {
    const found =
      report === undefined ? [] : hostFindings({ report, guardMode, isOverdue: overdue.has(host), nowMs });
    return { regarding: { resource: REPORTS, name: host, uid }, findings: found.map(problemFinding) };
  });
}

function problemFinding(
  problem: Pick<Problem, 'subject' | 'message'> & { readonly reason: string },
): Finding {
  return { ...problem, key: `${problem.reason} ${problem.subject}` };
}
