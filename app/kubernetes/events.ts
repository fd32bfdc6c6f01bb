// Notes as Kubernetes events, so that `kubectl describe` and `kubectl events` show them. What is said for the first time has a name
// made of what it says: a manager that comes after a restart does not say it again. When to say what: manager/news.ts.
import { createHash } from 'node:crypto';
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

export interface EventText {
  readonly type: 'Warning' | 'Normal';
  /** CamelCase. */
  readonly reason: string;
  readonly subject: string;
  readonly message: string;
  /** The same was said before: an event of its own, whatever is there. */
  readonly isRepeated: boolean;
}

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  /** Who reports: `manager`. */
  readonly component: string;
  /** The pod that reports. */
  readonly instance: string;
}

export interface EventRecorder {
  /** One event; none when an equal one is there and this is not a repetition. */
  say(regarding: Regarding, text: EventText): Promise<void>;
}

/** Events of cluster-wide objects live in `default`. */
const EVENT_NAMESPACE = 'default';
const MAX_NOTE = 1024;

export function eventRecorder({ client, clock, component, instance }: EventRecorderOptions): EventRecorder {
  return {
    say: async (regarding, text) => {
      const namespace = regarding.namespace ?? EVENT_NAMESPACE;
      const metadata = { name: eventName(regarding, text, clock), namespace };
      const event = {
        metadata,
        eventTime: microTime(clock),
        type: text.type,
        action: 'Protect',
        reason: text.reason,
        note: `${text.subject}: ${text.message}`.slice(0, MAX_NOTE),
        reportingController: `starlingx.io/ipsec-policy-${component}`,
        reportingInstance: instance.slice(0, 128),
        regarding: reference(regarding),
      };
      try {
        await client.create(EVENTS, event, namespace);
      } catch (error) {
        if (!isAlreadyThere(error)) throw error;
      }
    },
  };
}

function reference({ resource, name, namespace, uid }: Regarding): object {
  const place = namespace === undefined ? {} : { namespace };
  return { apiVersion: apiVersion(resource), kind: resource.kind, name, uid, ...place };
}

function eventName({ name, uid }: Regarding, text: EventText, clock: Clock): string {
  const { type, reason, subject, message, isRepeated } = text;
  const parts = [uid, type, reason, subject, message, ...(isRepeated ? [clock.now()] : [])];
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
  return `${name.slice(0, 200)}.${hash}`;
}
