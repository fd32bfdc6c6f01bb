// What the manager says of a pass beside the facts: conditions of policies, and a line in the log for each object, or kind of
// objects, that cannot be read. Nothing is said twice. Events: report-events.ts.
import type { PolicyStatus } from '../domain/policy-status.ts';
import { unreadSentence } from '../domain/unread-kinds.ts';
import type { ApiError } from '../kubernetes/api-error.ts';
import type { Client } from '../kubernetes/client.ts';
import type { StoredPolicy } from '../kubernetes/read-policy.ts';
import type { Entry } from '../kubernetes/watch-cache.ts';
import { writePolicyStatus } from '../kubernetes/write-status.ts';
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

/** How a policy stands, beside how its object says that it stands. */
export interface PolicyStanding {
  readonly entry: Entry<StoredPolicy>;
  readonly wanted: PolicyStatus;
}

export function policyStandings(
  source: Pick<WorldSource, 'policies'>,
  statusOf: (stored: StoredPolicy) => PolicyStatus,
): PolicyStanding[] {
  const entries = [...source.policies.items().values()];
  return entries.map((entry) => ({ entry, wanted: statusOf(entry.value) }));
}

/** Writes what differs; gives what the API server refused. Throws when nothing can be written. */
export async function writeStatuses(
  { client, source, clock, check }: StatusWriterOptions,
  standings: readonly PolicyStanding[],
): Promise<ApiError[]> {
  const writes = standings.map(({ entry, wanted }) => async () => {
    const { policy, status } = entry.value;
    check();
    const write = { name: policy.name, read: entry, wanted, current: status };
    const written = await writePolicyStatus(client, clock, write);
    if (written !== undefined) source.policies.accept(written);
  });
  return eachAlone(writes, 1);
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
