// All objects of one kind, kept up to date: a paged consistent list, then a watch; a new list when the server has
// forgotten where we were. Who needs the objects asks `synced` first; what changed is for the asker to find out.
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../runtime/clock.ts';
import { isWorldError, type WorldError } from '../runtime/errors.ts';
import { ApiError, isExpired } from './api-error.ts';
import type { Client, WatchEvent } from './client.ts';
import { pause } from './pause.ts';
import type { Resource } from './resources.ts';
import type { Query } from './transport.ts';
import { makeReader, METADATA, objectOf, type Metadata, type Reader } from './schema.ts';

/** One object as it was last read. `resourceVersion` is what a write that was computed from it must carry. */
export interface Entry<T> {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly value: T;
}

export interface WatchCacheOptions<T> {
  readonly client: Client;
  readonly resource: Resource;
  readonly read: Reader<T>;
  readonly clock: Clock;
  /** Something changed, or the first list is complete. Called often: collect. */
  readonly onChange: () => void;
  /** A failure of the world, after which the cache goes on by itself. */
  readonly onFailure: (error: WorldError, retryMs: number) => void;
  /** Anything else, errors thrown by `read` and `onChange` included. The cache has ended. */
  readonly onBug: (error: unknown) => void;
  /** What of a value is worth a notification; all of it by default. */
  readonly significant?: (value: T) => unknown;
  /** labelSelector, fieldSelector. */
  readonly query?: Query;
  readonly pageSize?: number;
  readonly silenceMs?: number;
  readonly watchSeconds?: number;
  readonly minBackoffMs?: number;
  readonly maxBackoffMs?: number;
  readonly random?: () => number;
}

/** Shorter than the silence that counts as death: a kind in which nothing happens may bring no bookmark either (seen with etcd 3.4). */
const WATCH_SECONDS = 75;

/** After the server has ended a watch in the ordinary way: at once, but never in a tight loop. */
const REWATCH_MS = 100;

/** One schema for all caches: it is compiled once. */
const WITH_METADATA = objectOf({ metadata: METADATA }, ['metadata']);

/** Lists and watches from `start` until `stop`. */
export class WatchCache<T> {
  readonly #options: WatchCacheOptions<T>;
  readonly #readMetadata = makeReader<{ metadata: Metadata }, Metadata>(WITH_METADATA, (raw) => raw.metadata);
  readonly #stopped = new AbortController();
  #entries = new Map<string, Entry<T>>();
  #unreadable = new Map<string, string>();
  #synced = false;
  #running: Promise<void> | undefined;
  #failures = 0;
  #lastError: WorldError | undefined;
  #lastSignMs: number | undefined;

  constructor(options: WatchCacheOptions<T>) {
    this.#options = options;
  }

  /** True from the first complete list on. What was once complete stays usable while the API is away. */
  get synced(): boolean {
    return this.#synced;
  }

  /** What the last list or watch failed of; undefined when it worked, or nothing was tried yet. */
  get failure(): WorldError | undefined {
    return this.#lastError;
  }

  /** By `name` or `namespace/name`. */
  items(): ReadonlyMap<string, Entry<T>> {
    return this.#entries;
  }

  values(): readonly T[] {
    return [...this.#entries.values()].map((entry) => entry.value);
  }

  /**
   * Objects that are there and could not be read, with the reason. The value that was read before, if any, stays in
   * `items()`: what is in force must not end because something is spoiled.
   */
  unreadable(): ReadonlyMap<string, string> {
    return this.#unreadable;
  }

  /** How long nothing has come and nothing was tried, in milliseconds; 0 before the start and after the end. */
  stillMs(): number {
    if (this.#lastSignMs === undefined || this.#isStopped()) return 0;
    return this.#options.clock.monotonic() - this.#lastSignMs;
  }

  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => this.#options.onBug(error));
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  /** Takes in the answer to a write at once, so that the next pass does not compute from what it has replaced. */
  accept(object: unknown): void {
    if (this.#synced && this.#put(object)) this.#options.onChange();
  }

  async #run(): Promise<void> {
    let resourceVersion: string | undefined;
    while (!this.#isStopped()) {
      this.#sign();
      try {
        if (this.#failures > 0 && (await this.#isRestored(resourceVersion))) resourceVersion = undefined;
        resourceVersion ??= await this.#list();
        resourceVersion = await this.#follow(resourceVersion);
        this.#failures = 0;
        await this.#pause(this.#jittered(REWATCH_MS));
      } catch (error) {
        if (this.#isStopped()) return;
        if (!isWorldError(error)) throw error;
        this.#sign();
        this.#failures += 1;
        this.#lastError = error;
        // After a repeated failure the watch itself may be what is wrong: begin with a list.
        if (isExpired(error) || this.#failures > 2) resourceVersion = undefined;
        const retryMs = this.#backoffMs();
        this.#options.onFailure(error, retryMs);
        await this.#pause(retryMs);
      }
    }
  }

  /**
   * A server restored from a snapshot counts from an older version than ours, and a watch from ours would bring nothing until it
   * has caught up. It was away meanwhile, so that asking after a failure is enough.
   */
  async #isRestored(resourceVersion: string | undefined): Promise<boolean> {
    if (resourceVersion === undefined) return false;
    const { client, resource, query = {} } = this.#options;
    const page = await client.list(resource, { ...query, limit: '1' });
    return isOlder(page.resourceVersion, resourceVersion);
  }

  /** The whole collection becomes what the server has now, older versions included; gives the resourceVersion to watch from. */
  async #list(): Promise<string> {
    const { client, resource, query = {}, pageSize = 500 } = this.#options;
    const objects: unknown[] = [];
    let page = await client.list(resource, { ...query, limit: String(pageSize) });
    this.#sign();
    objects.push(...page.items);
    while (page.next !== '') {
      page = await client.list(resource, { ...query, limit: String(pageSize), continue: page.next });
      this.#sign();
      objects.push(...page.items);
    }
    const there = new Set(objects.map((object) => keyOf(this.#metadata(object))));
    let changed = !this.#synced;
    for (const key of [...this.#entries.keys(), ...this.#unreadable.keys()])
      if (!there.has(key)) changed = this.#remove(key) || changed;
    for (const object of objects) changed = this.#put(object, 'in any version') || changed;
    this.#synced = true;
    this.#lastError = undefined;
    if (changed) this.#options.onChange();
    return page.resourceVersion;
  }

  async #follow(from: string): Promise<string> {
    const { client, resource, query = {}, silenceMs = 90_000, watchSeconds = WATCH_SECONDS } = this.#options;
    let resourceVersion = from;
    const timeoutSeconds = Math.ceil(this.#jittered(watchSeconds));
    const signal = this.#stopped.signal;
    const events = client.watch(resource, { resourceVersion, query, timeoutSeconds, silenceMs, signal });
    for await (const event of events) {
      this.#sign();
      resourceVersion = this.#take(event);
      this.#failures = 0;
      this.#lastError = undefined;
    }
    return resourceVersion;
  }

  #take(event: WatchEvent): string {
    if (event.type === 'BOOKMARK') return bookmark(event.object).resourceVersion;
    const metadata = this.#metadata(event.object);
    const changed = event.type === 'DELETED' ? this.#gone(metadata) : this.#put(event.object);
    if (changed) this.#options.onChange();
    return metadata.resourceVersion;
  }

  /** The name may already belong to a successor that `accept` has taken in. */
  #gone(metadata: Metadata): boolean {
    const there = this.#entries.get(keyOf(metadata));
    return (there === undefined || there.uid === metadata.uid) && this.#remove(keyOf(metadata));
  }

  /** True when that is worth a notification. */
  #put(object: unknown, accepts: 'newer' | 'in any version' = 'newer'): boolean {
    const metadata = this.#metadata(object);
    const key = keyOf(metadata);
    const before = this.#entries.get(key);
    if (accepts === 'newer' && isOlderThan(metadata, before)) return false;
    const reading = this.#options.read(object);
    if (reading.kind === 'ignored') return this.#remove(key);
    if (reading.kind === 'unreadable') return this.#setUnreadable(key, reading.message);
    const { name, namespace, uid, resourceVersion, generation = 0 } = metadata;
    const place = namespace === undefined ? {} : { namespace };
    this.#entries.set(key, { name, ...place, uid, resourceVersion, generation, value: reading.value });
    const wasUnreadable = this.#unreadable.delete(key);
    return wasUnreadable || before?.uid !== uid || !this.#isSame(before.value, reading.value);
  }

  #setUnreadable(key: string, message: string): boolean {
    if (this.#unreadable.get(key) === message) return false;
    this.#unreadable.set(key, message);
    return true;
  }

  #remove(key: string): boolean {
    const wasUnreadable = this.#unreadable.delete(key);
    return this.#entries.delete(key) || wasUnreadable;
  }

  #isSame(before: T, after: T): boolean {
    const { significant = (value: T): unknown => value } = this.#options;
    return isDeepStrictEqual(significant(before), significant(after));
  }

  #metadata(object: unknown): Metadata {
    const reading = this.#readMetadata(object);
    if (reading.kind === 'value') return reading.value;
    const why = reading.kind === 'unreadable' ? reading.message : '';
    throw new ApiError({ status: 0, reason: 'BadAnswer', message: `an object without metadata:${why}` });
  }

  #sign(): void {
    this.#lastSignMs = this.#options.clock.monotonic();
  }

  #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  #backoffMs(): number {
    const { minBackoffMs = 200, maxBackoffMs = 30_000 } = this.#options;
    return this.#jittered(Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(this.#failures - 1, 20)));
  }

  /** Between a half and the whole, so that many watchers do not come back together. */
  #jittered(value: number): number {
    return value * (0.5 + (this.#options.random ?? Math.random)() / 2);
  }

  #pause(delayMs: number): Promise<void> {
    return pause(this.#options.clock, delayMs, this.#stopped.signal);
  }
}

function keyOf(metadata: Metadata): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

function isOlderThan(metadata: Metadata, entry: Entry<unknown> | undefined): boolean {
  return entry?.uid === metadata.uid && isOlder(metadata.resourceVersion, entry.resourceVersion);
}

/** resourceVersions of one collection grow; anything but two numbers counts as newer. */
function isOlder(version: string, than: string): boolean {
  const numbers = /^\d+$/.test(version) && /^\d+$/.test(than);
  return numbers && BigInt(version) < BigInt(than);
}

/** A bookmark's object has a resourceVersion and nothing else. */
function bookmark(object: unknown): { readonly resourceVersion: string } {
  const version = (object as { metadata?: { resourceVersion?: unknown } } | null)?.metadata?.resourceVersion;
  if (typeof version === 'string') return { resourceVersion: version };
  throw new ApiError({ status: 0, reason: 'BadAnswer', message: 'a bookmark without resourceVersion' });
}
