// What the manager says of a pass beside the facts: conditions of policies, events of policies and hosts, and a line in the log
// for each object, or kind of objects, that cannot be read. Nothing is said twice.
import { problemsOfRows } from '../domain/conditions.ts';
import type { PolicyStatus } from '../domain/policy-status.ts';
import type { StatusInput } from '../domain/programmed.ts';
import type { ApiError } from '../kubernetes/api-error.ts';
import type { Client } from '../kubernetes/client.ts';
import type { EventRecorder, Regarding } from '../kubernetes/events.ts';
import type { StoredPolicy } from '../kubernetes/read-policy.ts';
import { NODES, POLICIES } from '../kubernetes/resources.ts';
import { writePolicyStatus } from '../kubernetes/write-status.ts';
import type { Problem } from '../domain/problem.ts';
import { unreadSentence } from '../domain/unread-kinds.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { eachAlone } from './each-alone.ts';
import type { WorldSource } from './world-source.ts';

export interface StatusWriterOptions {
  readonly client: Client;
  readonly source: Pick<WorldSource, 'policies'>;
  readonly clock: Clock;
  /** Throws when this process leads no more. */
  readonly check: () => void;
}

/** Writes what differs; gives what the API server refused. Throws when nothing can be written. */
export async function writeStatuses(
  options: StatusWriterOptions,
  statusOf: (stored: StoredPolicy) => PolicyStatus,
): Promise<ApiError[]> {
  const { client, source, clock, check } = options;
  const writes = [...source.policies.items().values()].map((entry) => async () => {
    const { policy, status } = entry.value;
    check();
    const written = await writePolicyStatus(client, clock, {
      name: policy.name,
      read: entry,
      wanted: statusOf(entry.value),
      current: status,
    });
    if (written !== undefined) source.policies.accept(written);
  });
  return eachAlone(writes, 1);
}

export type EventReporter = (resolved: StatusInput['resolved']) => Promise<ApiError[]>;

/** Events of policies, by their rows, and of Nodes, by their name; what was said of objects that are gone is forgotten. */
export function eventReporter(
  events: EventRecorder,
  source: Pick<WorldSource, 'policies' | 'nodes'>,
): EventReporter {
  let known: ReadonlySet<string> = new Set();
  return async (resolved) => {
    const ofRows = Map.groupBy(resolved.rows, (row) => row.policy);
    const ofHosts = Map.groupBy(resolved.problems, ({ subject }) => subject);
    const subjects: (readonly [Regarding, readonly Problem[]])[] = [
      ...source.policies
        .values()
        .map(
          ({ policy: { name, uid } }) =>
            [{ resource: POLICIES, name, uid }, problemsOfRows(ofRows.get(name) ?? [])] as const,
        ),
      ...source.nodes
        .values()
        .map(({ name, uid }) => [{ resource: NODES, name, uid }, ofHosts.get(name) ?? []] as const),
    ];
    const present = new Set(subjects.map(([{ uid }]) => uid));
    for (const uid of known) if (!present.has(uid)) events.forget(uid);
    known = present;
    return eachAlone(
      subjects.map(
        ([regarding, problems]) =>
          () =>
            events.report(regarding, problems),
      ),
      1,
    );
  };
}

/** Logs each object that cannot be read, once while it stays so. */
export function unreadableLog(log: Log, source: Pick<WorldSource, 'unreadable'>): () => void {
  let said: ReadonlySet<string> = new Set();
  return () => {
    const now = new Map(source.unreadable().map((object) => [JSON.stringify(object), object]));
    for (const [text, { kind, name, message }] of now)
      if (!said.has(text)) log.error({ kind, name, reason: message }, 'cannot read an object');
    said = new Set(now.keys());
  };
}

/** Logs each kind that cannot be read, once while that stays so, and when it can be. */
export function unreadKindsLog(log: Log, source: Pick<WorldSource, 'unread'>): () => void {
  let said: ReadonlyMap<string, string> = new Map();
  return () => {
    const now = new Map(source.unread().map((kind) => [kind.resource, unreadSentence(kind)]));
    for (const [resource, reason] of now)
      if (said.get(resource) !== reason)
        log.error({ resource, reason }, 'cannot read a kind; nothing is planned');
    for (const resource of said.keys()) if (!now.has(resource)) log.info({ resource }, 'can read a kind now');
    said = now;
  };
}
