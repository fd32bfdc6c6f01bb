// Is there an IPsecHost of this host's name? Without one nothing is planned here, which looks like a host with nothing to protect:
// NODE_NAME may be wrong, or nobody wants an agent here. Said loudly, after the time that a manager needs to make one.
import type { Facts, HostName } from '../domain/facts.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';

const PATIENCE_MS = 30_000;

export interface OwnHost {
  /** Facts of each pass; undefined while none are known, which says nothing. */
  seen(facts: Facts | undefined): void;
  /** Facts are known, and this host is not among them. */
  isMissing(): boolean;
}

export function ownHost({
  self,
  clock,
  log,
}: {
  readonly self: HostName;
  readonly clock: Clock;
  readonly log: Log;
}): OwnHost {
  let sinceMs: number | undefined;
  let isSaid = false;
  return {
    seen: (facts) => {
      if (facts === undefined) return;
      if (facts.hosts.some(({ name }) => name === self)) {
        if (isSaid) log.info('this host is known now');
        [sinceMs, isSaid] = [undefined, false];
        return;
      }
      const nowMs = clock.monotonic();
      sinceMs ??= nowMs;
      if (isSaid || nowMs - sinceMs < PATIENCE_MS) return;
      isSaid = true;
      log.warn(
        { nodeName: self, cure: CURE },
        'no IPsecHost has the name of this host: nothing is protected here',
      );
    },
    isMissing: () => sinceMs !== undefined,
  };
}

const CURE =
  'set NODE_NAME to the name of the Node; label it ipsec-policy-agent-operator=enabled; see events of the Node and the log of the manager';
