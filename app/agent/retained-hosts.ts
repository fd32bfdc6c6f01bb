// Which hosts count, when some have vanished? A host that left the cluster goes; but not at once, because a kind that is deleted
// takes its objects away one by one, and not at all while this host's own IPsecHost is missing too: then it is not hosts that
// left. Pure.
import type { HostFact, HostName } from '../domain/facts.ts';
import type { Problem } from '../domain/problem.ts';

export interface RetainedHosts {
  readonly hosts: readonly HostFact[];
  /** Since when those that are kept have been missing, in milliseconds. */
  readonly missingSince: ReadonlyMap<HostName, number>;
  readonly problems: readonly Problem[];
}

export const NO_HOSTS: RetainedHosts = { hosts: [], missingSince: new Map(), problems: [] };

/** Longer than a deletion of the whole kind takes to be seen; traffic of a host that has left needs nothing any more. */
const PATIENCE_MS = 5000;

/** `before` is the result of the last call (under the same network), `now` what the API has. */
export function retainHosts(
  before: RetainedHosts,
  now: readonly HostFact[],
  { self, nowMs }: { readonly self: HostName; readonly nowMs: number },
): RetainedHosts {
  const present = new Set(now.map(({ name }) => name));
  const missing = before.hosts.filter(({ name }) => !present.has(name));
  const isSelfMissing = missing.some(({ name }) => name === self);
  const sinceOf = (name: HostName): number => before.missingSince.get(name) ?? nowMs;
  const kept = missing.filter(({ name }) => isSelfMissing || nowMs - sinceOf(name) < PATIENCE_MS);
  return {
    hosts: [...now, ...kept],
    missingSince: new Map(kept.map(({ name }) => [name, sinceOf(name)])),
    problems: isSelfMissing
      ? [
          {
            reason: 'FactsVanished',
            subject: self,
            message:
              'the IPsecHost of this host was deleted; what it protects stays protected. It comes back when the manager runs and the Node has the label of the agent',
          },
        ]
      : [],
  };
}
