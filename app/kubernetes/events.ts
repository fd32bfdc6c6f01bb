// Problems as Kubernetes events, so that `kubectl describe` shows them. Each is said once while it lasts, also after a
// restart of ours: its name is made of what it says, and an event that is already there is not made again.
import { createHash } from 'node:crypto';
import type { Problem } from '../domain/problem.ts';
import type { Clock } from '../runtime/clock.ts';
import { isAlreadyThere } from './api-error.ts';
import type { Client } from './client.ts';
import { microTime } from './lease-object.ts';
import { apiVersion, EVENTS, type Resource } from './resources.ts';

/** The object that an event is about. */
export interface Regarding {
  readonly resource: Resource;
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
}

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  /** Who reports: `manager` or `agent`. */
  readonly component: string;
  /** The pod or host that reports. */
  readonly instance: string;
}

export interface EventRecorder {
  /** Makes an event for each problem of the object that was not there at the last call; forgets those that went. */
  report(regarding: Regarding, problems: readonly Problem[]): Promise<void>;
  /** The object is gone. */
  forget(uid: string): void;
}

export function eventRecorder(options: EventRecorderOptions): EventRecorder {
  const said = new Map<string, ReadonlySet<string>>();
  return {
    report: async (regarding, problems) => {
      const before = said.get(regarding.uid) ?? new Set();
      const current = new Map(problems.map((problem) => [eventName(regarding, problem), problem]));
      const kept = [...before].filter((name) => current.has(name));
      said.set(regarding.uid, new Set(kept));
      for (const [name, problem] of current) {
        if (before.has(name)) continue;
        await createEvent(options, { name, regarding, problem });
        said.set(regarding.uid, new Set([...(said.get(regarding.uid) ?? []), name]));
      }
    },
    forget: (uid) => {
      said.delete(uid);
    },
  };
}

/** Events of cluster-wide objects live in `default`. */
const EVENT_NAMESPACE = 'default';
const MAX_NOTE = 1024;

function eventName(regarding: Regarding, problem: Problem): string {
  const text = JSON.stringify([regarding.uid, problem.reason, problem.subject, problem.message]);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return `${regarding.name.slice(0, 200)}.${hash}`;
}

async function createEvent(
  options: EventRecorderOptions,
  event: { readonly name: string; readonly regarding: Regarding; readonly problem: Problem },
): Promise<void> {
  const { name, regarding, problem } = event;
  const { client, clock, component, instance } = options;
  const namespace = regarding.namespace ?? EVENT_NAMESPACE;
  const place = regarding.namespace === undefined ? {} : { namespace };
  try {
    await client.create(
      EVENTS,
      {
        metadata: { name, namespace },
        eventTime: microTime(clock),
        type: 'Warning',
        action: 'Protect',
        reason: problem.reason,
        note: `${problem.subject}: ${problem.message}`.slice(0, MAX_NOTE),
        reportingController: `starlingx.io/ipsec-policy-${component}`,
        reportingInstance: instance.slice(0, 128),
        regarding: {
          apiVersion: apiVersion(regarding.resource),
          kind: regarding.resource.kind,
          name: regarding.name,
          uid: regarding.uid,
          ...place,
        },
      },
      namespace,
    );
  } catch (error) {
    if (!isAlreadyThere(error)) throw error;
  }
}
