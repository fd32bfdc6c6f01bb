// Every write of a shared fact as the API server's watches tell it: an update makes one event, so these counts are exact and
// not the writer's own. Times are those of arrival here.
import type { Client } from '../../app/kubernetes/client.ts';
import { HOSTS, NETWORKS, POLICIES, SHARDS, type Resource } from '../../app/kubernetes/resources.ts';

export interface FactWrite {
  readonly kind: string;
  readonly name: string;
  readonly type: string;
  /** `performance.now()`. */
  readonly at: number;
  readonly object: unknown;
}

export interface FactObserver {
  /** Writes of IPsecNetwork, IPsecHost and IPsecService since the last `forget`. */
  facts(): readonly FactWrite[];
  /** Writes of the status of policies. */
  statuses(): readonly FactWrite[];
  forget(): void;
  /** Resolves when neither a fact nor a status was written for so long. */
  untilQuiet(quietMs: number): Promise<void>;
  stop(): Promise<void>;
}

export async function observeFacts(client: Client): Promise<FactObserver> {
  const stopped = new AbortController();
  let facts: FactWrite[] = [];
  let statuses: FactWrite[] = [];
  const follow = async (resource: Resource, into: (write: FactWrite) => void): Promise<void> => {
    const { resourceVersion } = await client.list(resource, {});
    const options = { resourceVersion, query: {}, timeoutSeconds: 3600, silenceMs: 3_600_000 };
    void (async () => {
      for await (const { type, object } of client.watch(resource, { ...options, signal: stopped.signal })) {
        if (type === 'BOOKMARK') continue;
        const { name } = (object as { metadata: { name: string } }).metadata;
        into({ kind: resource.kind, name, type, at: performance.now(), object });
      }
    })().catch((error: unknown) => {
      if (!stopped.signal.aborted) throw error;
    });
  };
  await Promise.all([
    ...[NETWORKS, HOSTS, SHARDS].map((kind) => follow(kind, (write) => facts.push(write))),
    follow(POLICIES, (write) => write.type === 'MODIFIED' && statuses.push(write)),
  ]);
  return {
    facts: () => facts,
    statuses: () => statuses,
    forget: () => {
      facts = [];
      statuses = [];
    },
    untilQuiet: async (quietMs) => {
      const since = performance.now();
      for (;;) {
        const lastAt = Math.max(since, facts.at(-1)?.at ?? 0, statuses.at(-1)?.at ?? 0);
        const quietForMs = performance.now() - lastAt;
        if (quietForMs >= quietMs) return;
        await new Promise((resolve) => setTimeout(resolve, quietMs - quietForMs));
      }
    },
    stop: async () => {
      stopped.abort();
      await Promise.resolve();
    },
  };
}
