// An API server in memory behind the methods of our own Client: versions, generations, conflicts, preconditions and watches
// as the real one has them (kubernetes-writers.test.ts and watch-cache.test.ts look at that one). No schemas, no rights.
import { isDeepStrictEqual } from 'node:util';
import { ApiError } from '../../app/kubernetes/api-error.ts';
import type {
  Client,
  ListPage,
  ObjectRef,
  Preconditions,
  WatchEvent,
  WatchOptions,
} from '../../app/kubernetes/client.ts';
import { apiVersion, type Resource } from '../../app/kubernetes/resources.ts';
import type { Query } from '../../app/kubernetes/transport.ts';

export interface FakeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation: number;
  };
  readonly spec?: unknown;
  readonly status?: unknown;
}

export interface FakeRequest {
  /** `update ipsechosts/worker-0`. */
  readonly what: string;
  readonly body: unknown;
}

type Draft = Omit<FakeObject, 'metadata'> & { readonly metadata: Partial<FakeObject['metadata']> };
type Change = Pick<WatchEvent, 'type'> & { readonly plural: string; readonly object: FakeObject };

export interface FakeApi {
  readonly client: Client;
  /** Writes that were asked for, refused ones too; reads are not listed. */
  readonly writes: FakeRequest[];
  /** As an administrator: makes the object, or gives it this spec or status. Not listed in `writes`. */
  put(resource: Resource, object: object): FakeObject;
  remove(resource: Resource, name: string): void;
  get(resource: Resource, name: string): FakeObject | undefined;
  /** Objects of a kind, in reverse order of their making: nobody may rely on an order. */
  all(resource: Resource): FakeObject[];
  /** Answers with this error from now on whatever begins so (`update ipsechosts/`, `list nodes`); the result ends that. */
  fail(what: string, error: { readonly status: number; readonly reason: string }): () => void;
  /** Watches fall silent until the result is called. */
  holdWatches(): () => void;
}

export function fakeApi(): FakeApi {
  const objects = new Map<string, { readonly plural: string; object: FakeObject }>();
  const changes: Change[] = [];
  const watchers = new Set<() => void>();
  const failures = new Map<string, { readonly status: number; readonly reason: string }>();
  const writes: FakeRequest[] = [];
  let version = 0;
  let uids = 0;
  let isHeld = false;

  const note = (type: WatchEvent['type'], plural: string, object: FakeObject): FakeObject => {
    changes.push({ type, plural, object });
    if (!isHeld) wakeAll(watchers);
    return object;
  };
  const store = (resource: Resource, draft: Draft): FakeObject => {
    const key = keyOf(resource, draft.metadata);
    const before = objects.get(key)?.object;
    const object = before === undefined ? firstVersion(draft, `uid-${++uids}`) : nextVersion(before, draft);
    if (object === before) return before;
    const changed = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } };
    objects.set(key, { plural: resource.plural, object: changed });
    return note(before === undefined ? 'ADDED' : 'MODIFIED', resource.plural, changed);
  };
  const found = (resource: Resource, ref: ObjectRef): FakeObject => {
    const object = objects.get(keyOf(resource, ref))?.object;
    if (object === undefined) throw refusal(404, 'NotFound', ref.name);
    return object;
  };
  const erase = (resource: Resource, ref: ObjectRef): void => {
    const object = found(resource, ref);
    objects.delete(keyOf(resource, ref));
    const metadata = { ...object.metadata, resourceVersion: String(++version) };
    note('DELETED', resource.plural, { ...object, metadata });
  };
  const failIfTold = (what: string): void => {
    for (const [start, { status, reason }] of failures)
      if (what.startsWith(start)) throw refusal(status, reason, what);
  };
  const asked = (verb: string, resource: Resource, name: string, body: unknown): void => {
    const what = `${verb} ${resource.plural}/${name}`;
    writes.push({ what, body });
    failIfTold(what);
  };
  const all = (resource: Resource): FakeObject[] =>
    [...objects.values()]
      .filter(({ plural }) => plural === resource.plural)
      .map(({ object }) => object)
      .reverse();

  const client = {
    list: async (resource: Resource, query: Query): Promise<ListPage> => {
      await Promise.resolve();
      failIfTold(`list ${resource.plural}`);
      const items = all(resource).filter((object) => isSelected(object, query));
      return { items, resourceVersion: String(version), next: '' };
    },
    watch: async function* (resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent> {
      const from = Number(options.resourceVersion);
      let next = changes.findIndex(({ object }) => Number(object.metadata.resourceVersion) > from);
      if (next < 0) next = changes.length;
      while (!options.signal.aborted) {
        for (let change = changes[next]; change !== undefined && !isHeld; change = changes[next]) {
          next += 1;
          if (change.plural === resource.plural && isSelected(change.object, options.query))
            yield { type: change.type, object: change.object };
        }
        await sleep(watchers, options.signal);
      }
    },
    create: async (resource: Resource, object: Draft, namespace?: string): Promise<unknown> => {
      await Promise.resolve();
      const metadata = { ...object.metadata, ...(namespace === undefined ? {} : { namespace }) };
      asked('create', resource, metadata.name ?? '', object);
      if (objects.has(keyOf(resource, metadata))) throw refusal(409, 'AlreadyExists', metadata.name ?? '');
      return store(resource, { ...object, metadata });
    },
    replace: async (resource: Resource, ref: ObjectRef, object: Draft): Promise<unknown> => {
      await Promise.resolve();
      asked('update', resource, ref.name, object);
      const before = found(resource, ref);
      insist(before, object.metadata);
      return store(resource, { ...before, spec: object.spec });
    },
    mergePatch: async (resource: Resource, ref: ObjectRef, patch: Draft): Promise<unknown> => {
      await Promise.resolve();
      asked('patch', resource, ref.name, patch);
      const before = found(resource, ref);
      insist(before, patch.metadata);
      return store(resource, { ...before, status: patch.status });
    },
    delete: async (resource: Resource, ref: ObjectRef, preconditions: Preconditions = {}): Promise<void> => {
      await Promise.resolve();
      asked('delete', resource, ref.name, preconditions);
      insist(found(resource, ref), preconditions);
      erase(resource, ref);
    },
  };

  return {
    client: client as unknown as Client,
    writes,
    put: (resource, object) =>
      store(resource, { apiVersion: apiVersion(resource), ...(object as Draft) } as Draft),
    remove: (resource, name) => erase(resource, { name }),
    get: (resource, name) => all(resource).find(({ metadata }) => metadata.name === name),
    all,
    fail: (what, error) => {
      failures.set(what, error);
      return () => failures.delete(what);
    },
    holdWatches: () => {
      isHeld = true;
      return () => {
        isHeld = false;
        wakeAll(watchers);
      };
    },
  };
}

function firstVersion(draft: Draft, uid: string): FakeObject {
  const { name = '' } = draft.metadata;
  return { ...draft, metadata: { ...draft.metadata, name, uid, resourceVersion: '', generation: 1 } };
}

/** The very object when nothing differs; another generation when its spec does. */
function nextVersion(before: FakeObject, draft: Draft): FakeObject {
  const { uid, resourceVersion, generation } = before.metadata;
  const step = isDeepStrictEqual(before.spec, draft.spec) ? 0 : 1;
  const metadata = {
    ...draft.metadata,
    name: before.metadata.name,
    uid,
    resourceVersion,
    generation: generation + step,
  };
  const object = { ...draft, metadata };
  return isDeepStrictEqual(before, object) ? before : object;
}

function keyOf({ plural }: Resource, { name, namespace }: { name?: string; namespace?: string }): string {
  return `${plural}/${namespace ?? ''}/${name ?? ''}`;
}

function isSelected({ metadata }: FakeObject, query: Query): boolean {
  const selector = query['fieldSelector'];
  return selector === undefined || selector === `metadata.name=${metadata.name}`;
}

function insist({ metadata }: FakeObject, wanted: Preconditions | undefined): void {
  const { uid = metadata.uid, resourceVersion = metadata.resourceVersion } = wanted ?? {};
  if (uid !== metadata.uid || resourceVersion !== metadata.resourceVersion)
    throw refusal(409, 'Conflict', metadata.name);
}

function refusal(status: number, reason: string, message: string): ApiError {
  return new ApiError({ status, reason, message: `${reason}: ${message}` });
}

function wakeAll(sleepers: Set<() => void>): void {
  for (const wake of [...sleepers]) wake();
}

/** Until something happens, or the signal. */
async function sleep(sleepers: Set<() => void>, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const wake = (): void => {
      sleepers.delete(wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    sleepers.add(wake);
    signal.addEventListener('abort', wake);
    if (signal.aborted) wake();
  });
}
