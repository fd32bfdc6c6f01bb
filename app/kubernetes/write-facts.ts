// The manager's writes of shared facts. Each carries the version of the object it was computed from, so that a leader
// that was paused cannot overwrite its successor; a conflict is an ApiError that the work loop retries.
import { isNotFound } from './api-error.ts';
import type { Client } from './client.ts';
import type { FactKind } from './fact-objects.ts';
import type { HostName } from '../domain/facts.ts';
import { REPORTS } from './resources.ts';

/** Which version of an object a write was computed from: an entry of the watch cache. */
export interface ReadVersion {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** Gives the object as the API server has it now, for `WatchCache.accept`. Fails when it is already there. */
export async function createFact<T>(client: Client, kind: FactKind<T>, fact: T): Promise<unknown> {
  return client.create(kind.resource, { metadata: { name: kind.name(fact) }, spec: kind.spec(fact) });
}

/** Gives the object as the API server has it now, for `WatchCache.accept`. */
export async function replaceFact<T>(
  client: Client,
  kind: FactKind<T>,
  fact: T,
  read: ReadVersion,
): Promise<unknown> {
  const name = kind.name(fact);
  const metadata = { name, uid: read.uid, resourceVersion: read.resourceVersion };
  return client.replace(kind.resource, { name }, { metadata, spec: kind.spec(fact) });
}

/** Removes exactly that version of it; one that is gone already is fine. */
export async function deleteFact<T>(
  client: Client,
  kind: FactKind<T>,
  name: string,
  read: ReadVersion,
): Promise<void> {
  const { uid, resourceVersion } = read;
  try {
    await client.delete(kind.resource, { name }, { uid, resourceVersion });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/**
 * The empty report that a host's agent then writes its status into; gives the object for `WatchCache.accept`. It has a label, for the
 * API server keeps no times of writes (managedFields) of an object that was made with nothing but a name.
 */
export async function createReport(client: Client, host: HostName): Promise<unknown> {
  const labels = { 'app.kubernetes.io/managed-by': 'ipsec-policy-manager' };
  return client.create(REPORTS, { metadata: { name: host, labels } });
}

export async function deleteReport(client: Client, host: HostName, read: ReadVersion): Promise<void> {
  try {
    await client.delete(REPORTS, { name: host }, { uid: read.uid });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
