// What can be asked of the API server, verb by verb. How it is asked is transport.ts's business, what the JSON means the
// readers'.
import { HttpMethod } from '@kubernetes/client-node';
import { ApiError, errorOfStatus } from './api-error.ts';
import { apiVersion, collectionPath, objectPath, type Resource } from './resources.ts';
import { Transport, type Call, type Query, type TransportOptions } from './transport.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

export interface ClientOptions extends TransportOptions {
  /** Called for each request that is sent, for metrics. */
  readonly onRequest?: (verb: Verb, resource: Resource) => void;
}

/** One object of a kind; `namespace` for namespaced kinds alone. */
export interface ObjectRef {
  readonly name: string;
  readonly namespace?: string;
  readonly subresource?: 'status';
}

/** What a delete insists on: the very object and the very version that was read. */
export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export interface ListPage {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  /** Token of the next page; empty on the last. */
  readonly next: string;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: unknown;
}

export interface WatchOptions {
  readonly resourceVersion: string;
  readonly query: Query;
  /** The server ends the watch after this. */
  readonly timeoutSeconds: number;
  /** Nothing received for so long (a bookmark comes each minute): the connection is dead. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

export class Client {
  /** Requests sent so far by verb and plural, e.g. `update ipsecservices`. */
  readonly sent: ReadonlyMap<string, number>;
  readonly #counts = new Map<string, number>();
  readonly #transport: Transport;
  readonly #options: ClientOptions;

  /** Reads the kubeconfig; throws when it cannot be used. Nothing is sent yet. */
  constructor(options: ClientOptions = {}) {
    this.sent = this.#counts;
    this.#options = options;
    this.#transport = new Transport(options);
  }

  async get(resource: Resource, ref: ObjectRef): Promise<unknown> {
    return this.#json('get', resource, { method: HttpMethod.GET, path: pathOf(resource, ref) });
  }

  /** One page of a consistent list (never from the server's cache alone, that is: without resourceVersion 0). */
  async list(resource: Resource, query: Query, namespace?: string): Promise<ListPage> {
    const path = collectionPath(resource, namespace);
    return listPage(path, await this.#json('list', resource, { method: HttpMethod.GET, path, query }));
  }

  async create(resource: Resource, object: object, namespace?: string): Promise<unknown> {
    const path = collectionPath(resource, namespace);
    return this.#json('create', resource, { method: HttpMethod.POST, path, body: typed(resource, object) });
  }

  /** PUT; the object's metadata.resourceVersion is what it was computed from, else a conflict. */
  async replace(resource: Resource, ref: ObjectRef, object: object): Promise<unknown> {
    const path = pathOf(resource, ref);
    return this.#json('update', resource, { method: HttpMethod.PUT, path, body: typed(resource, object) });
  }

  /** A JSON merge patch: lists are replaced whole, `null` removes. */
  async mergePatch(resource: Resource, ref: ObjectRef, patch: object): Promise<unknown> {
    const contentType = 'application/merge-patch+json';
    const path = pathOf(resource, ref);
    return this.#json('patch', resource, { method: HttpMethod.PATCH, path, body: patch, contentType });
  }

  async delete(resource: Resource, ref: ObjectRef, preconditions: Preconditions = {}): Promise<void> {
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions };
    const path = pathOf(resource, ref);
    await this.#json('delete', resource, { method: HttpMethod.DELETE, path, body });
  }

  /** Events as they come, until the server ends the watch. Throws ApiError when it breaks, is silent or has expired. */
  async *watch(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent, void, undefined> {
    const path = collectionPath(resource);
    const query = {
      ...options.query,
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: options.resourceVersion,
      timeoutSeconds: String(options.timeoutSeconds),
    };
    this.#count('watch', resource);
    const { signal, silenceMs } = options;
    const lines = this.#transport.lines({ method: HttpMethod.GET, path, query }, { signal, silenceMs });
    for await (const line of lines) yield watchEvent(path, line);
  }

  /** Text that is no object: a pod's log. */
  async text(path: string, query: Query): Promise<string> {
    return this.#transport.text({ method: HttpMethod.GET, path, query });
  }

  /** For exec.ts: a stream in both directions, with this client's credentials. */
  async webSocket(...request: Parameters<Transport['webSocket']>): ReturnType<Transport['webSocket']> {
    return this.#transport.webSocket(...request);
  }

  /** Closes the pool once what is under way has ended; end watches by their signal first. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #json(verb: Verb, resource: Resource, call: Call): Promise<unknown> {
    this.#count(verb, resource);
    return this.#transport.json(call);
  }

  #count(verb: Verb, resource: Resource): void {
    const key = `${verb} ${resource.plural}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#options.onRequest?.(verb, resource);
  }
}

function pathOf(resource: Resource, ref: ObjectRef): string {
  const path = objectPath(resource, ref.name, ref.namespace);
  return ref.subresource === undefined ? path : `${path}/${ref.subresource}`;
}

function typed(resource: Resource, object: object): object {
  return { apiVersion: apiVersion(resource), kind: resource.kind, ...object };
}

/** Go writes an empty list as null. */
function listPage(path: string, body: unknown): ListPage {
  const list = body as {
    items?: unknown[] | null;
    metadata?: { resourceVersion?: string; continue?: string };
  };
  const resourceVersion = list.metadata?.resourceVersion;
  if (typeof resourceVersion !== 'string' || !Array.isArray(list.items ?? []))
    throw new ApiError({ status: 0, reason: 'BadAnswer', message: `GET ${path}: the answer is not a list` });
  return { items: list.items ?? [], resourceVersion, next: list.metadata?.continue ?? '' };
}

function watchEvent(path: string, line: string): WatchEvent {
  const event = parseEvent(path, line) as { type: WatchEvent['type'] | 'ERROR'; object: unknown };
  if (event.type === 'ERROR') throw errorOfStatus(`watch ${path}`, 500, event.object);
  return { type: event.type, object: event.object };
}

function parseEvent(path: string, line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new ApiError({ status: 0, reason: 'BadAnswer', message: `watch ${path}: not JSON`, cause });
  }
}
