// All objects of one kind, once, page by page: for a command that looks and ends. What is kept up to date: watch-cache.ts.
import type { Client } from './client.ts';
import type { Resource } from './resources.ts';
import type { Query } from './transport.ts';

export interface ListOptions {
  /** labelSelector, fieldSelector. */
  readonly query?: Query;
  /** Of this namespace alone. */
  readonly namespace?: string;
}

const PAGE_SIZE = '500';

/** A consistent list, in the server's order. Throws ApiError, also when the list changed too much between two pages. */
export async function listAll(
  client: Client,
  resource: Resource,
  { query = {}, namespace }: ListOptions = {},
): Promise<unknown[]> {
  const items: unknown[] = [];
  let next = '';
  do {
    const page = await client.list(
      resource,
      { ...query, limit: PAGE_SIZE, ...(next === '' ? {} : { continue: next }) },
      namespace,
    );
    items.push(...page.items);
    next = page.next;
  } while (next !== '');
  return items;
}
