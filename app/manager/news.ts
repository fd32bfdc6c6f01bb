// Of what stands in a pass, what is news? Said once when it begins and once when it is over; what comes and goes all the time is
// said twice a minute at most, and the last word is always true. One memory for each object that events are about.
import type { Problem } from '../domain/problem.ts';

/** What may be said of an object. Two findings of one key are the same thing in two states, or told in other words. */
export interface Finding extends Pick<Problem, 'subject' | 'message'> {
  readonly key: string;
  /** CamelCase. */
  readonly reason: string;
  /** All is well; else something is wrong. */
  readonly isGood?: boolean;
  /** Of a good one: it was not so before this pass. Otherwise it is only said when it ends what was said before. */
  readonly isNews?: boolean;
  /** Happened, and will not be over. */
  readonly isOnce?: boolean;
  /** Said when it has stood for so long; at once when absent. */
  readonly afterMs?: number;
}

export interface Note extends Pick<Finding, 'key' | 'reason' | 'subject' | 'message'> {
  readonly type: 'Warning' | 'Normal';
  /** False for what is said of this key for the first time: a process before this one may have said it too. */
  readonly isRepeated: boolean;
}

export interface News {
  /** What is to be said now. It comes again until `said`. */
  due(findings: readonly Finding[], nowMs: number): readonly Note[];
  said(note: Note, nowMs: number): void;
  /** When to ask again although nothing changes; Infinity when nothing waits. */
  againMs(nowMs: number): number;
}

/** In this time two notes of one key, or one and the same in other words. */
const MINUTE_MS = 60_000;

interface Known {
  readonly finding: Finding;
  readonly sinceMs: number;
  /** What was said last. */
  readonly told?: Pick<Note, 'type' | 'message'>;
  /** When the last two notes were made. */
  readonly times: readonly number[];
  /** When the note that is to be made is due; Infinity: none is. */
  readonly dueMs: number;
  readonly isOver: boolean;
}

export function news(): News {
  const all = new Map<string, Known>();
  return {
    due: (findings, nowMs) => {
      const standing = new Map(
        [...Map.groupBy(findings, ({ key }) => key)].map(([key, of]) => [key, one(of)]),
      );
      for (const [key, known] of [...all]) if (!standing.has(key)) replace(all, key, over(known, nowMs));
      for (const [key, finding] of standing) all.set(key, stands(all.get(key), finding, nowMs));
      return [...all.values()].filter(({ dueMs }) => dueMs <= nowMs).map(noteOf);
    },
    said: ({ key, type, message }, nowMs) => {
      const known = all.get(key);
      if (known === undefined) return;
      const times = [...known.times.slice(-1), nowMs];
      all.set(key, { ...known, told: { type, message }, times, dueMs: Infinity });
    },
    againMs: (nowMs) => {
      const dues = [...all.values()].map(({ dueMs }) => dueMs);
      return Math.max(0, dues.reduce((least, dueMs) => Math.min(least, dueMs), Infinity) - nowMs);
    },
  };
}

function replace(all: Map<string, Known>, key: string, known: Known | undefined): void {
  if (known === undefined) all.delete(key);
  else all.set(key, known);
}

/** Several of one key in one pass are one note. */
function one(group: readonly Finding[]): Finding {
  const [first] = group as readonly [Finding];
  const messages = [...new Set(group.map(({ message }) => message))];
  return messages.length === 1 ? first : { ...first, message: messages.join(' ') };
}

function stands(before: Known | undefined, finding: Finding, nowMs: number): Known {
  const isSame = before !== undefined && !before.isOver && before.finding.isGood === finding.isGood;
  const isNews = finding.isNews === true || (isSame && before.finding.isNews === true);
  const known = {
    finding: { ...finding, isNews },
    sinceMs: isSame ? before.sinceMs : nowMs,
    times: before?.times ?? [],
    ...(before?.told !== undefined && { told: before.told }),
    isOver: false,
  };
  return { ...known, dueMs: finding.isGood === true ? whenGood(known) : whenWrong(known) };
}

function whenGood({ finding, told, sinceMs, times }: Omit<Known, 'dueMs'>): number {
  const isToBeSaid = told === undefined ? finding.isNews === true : told.type === 'Warning';
  return isToBeSaid ? Math.max(sinceMs, freeMs(times)) : Infinity;
}

function whenWrong({ finding, told, sinceMs, times }: Omit<Known, 'dueMs'>): number {
  if (told?.type !== 'Warning') return Math.max(sinceMs + (finding.afterMs ?? 0), freeMs(times));
  return told.message === finding.message ? Infinity : (times.at(-1) ?? -Infinity) + MINUTE_MS;
}

/** What was never said ends unsaid. Undefined: to be forgotten, once another note of its key would not be one too many. */
function over(known: Known, nowMs: number): Known | undefined {
  const isToBeSaid = known.told?.type === 'Warning' && known.finding.isOnce !== true;
  if (isToBeSaid) return { ...known, isOver: true, dueMs: Math.max(nowMs, freeMs(known.times)) };
  const isQuiet = nowMs - (known.times.at(-1) ?? -Infinity) >= MINUTE_MS;
  return isQuiet ? undefined : { ...known, isOver: true, dueMs: Infinity };
}

/** Two notes in a minute, and no third. */
function freeMs(times: readonly number[]): number {
  const [first, second] = times;
  return first === undefined || second === undefined ? -Infinity : first + MINUTE_MS;
}

function noteOf({ finding, isOver, times }: Known): Note {
  const { key, reason, subject, message, isGood } = finding;
  const isRepeated = times.length > 0;
  if (isOver)
    return { key, type: 'Normal', reason: 'Recovered', subject, message: `${reason} is over.`, isRepeated };
  return { key, type: isGood === true ? 'Normal' : 'Warning', reason, subject, message, isRepeated };
}
