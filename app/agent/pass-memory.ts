// The little that an agent remembers between passes. What depends on one charon is forgotten with the session to it; nothing
// here decides what is loaded.
import type { HostReport } from '../domain/facts.ts';
import type { HostConfig } from '../domain/host-config.ts';
import type { Loaded } from '../swanctl/loaded.ts';
import type { Step } from '../swanctl/steps.ts';
import type { CharonSession } from './charon-link.ts';
import { NO_DEMAND, type DemandMemory } from './demand.ts';
import { leftOverWatch, type LeftOverWatch } from './left-over-watch.ts';
import { revival, type Revival } from './revive.ts';
import { NOTHING_SILENT, type SilentMemory } from './silent-tunnels.ts';
import type { UnansweredMemory } from './unanswered.ts';
import type { UnreachedMemory } from './unreached.ts';

export interface PassMemory {
  readonly leftOvers: LeftOverWatch;
  readonly asked: AskedSas;
  readonly revival: Revival;
  /** Passes in a row that left something undone. */
  unsettledPasses: number;
  /** What charon refused in the last pass, as text: said once. */
  said: string;
  report: HostReport | undefined;
  /** What the last pass wanted, with its names: they stand in for a file that somebody took away or spoiled. */
  named: HostConfig | undefined;
  demand: DemandMemory;
  unanswered: UnansweredMemory;
  silent: SilentMemory;
  unreached: UnreachedMemory;
  /** Since when there have been no facts, in monotonic milliseconds; undefined while there are. */
  withoutFactsMs: number | undefined;
  /** True when this is another session than before: charon may be another process. */
  meets(session: CharonSession, nowMs: number): boolean;
  /**
   * charon was restarted and has nothing yet: the platform loads credentials first, then connections. What is initiated or
   * trapped before fails for want of a key, and the kernel then keeps the flow from asking again for 47 s.
   */
  isStarting(loaded: Loaded, nowMs: number): boolean;
}

export function passMemory(): PassMemory {
  let known: CharonSession | undefined;
  let restartedMs = -Infinity;
  const memory: PassMemory = {
    leftOvers: leftOverWatch(),
    asked: askedSas(),
    revival: revival(),
    unsettledPasses: 0,
    said: '',
    report: undefined,
    named: undefined,
    demand: NO_DEMAND,
    unanswered: new Map(),
    silent: NOTHING_SILENT,
    unreached: new Map(),
    withoutFactsMs: undefined,
    isStarting: ({ connections }, nowMs) => connections.size === 0 && nowMs - restartedMs < STARTING_MS,
    meets: (session, nowMs) => {
      if (session === known) return false;
      if (known !== undefined) restartedMs = nowMs;
      known = session;
      memory.leftOvers.clear();
      memory.asked.clear();
      memory.unanswered = new Map();
      memory.silent = NOTHING_SILENT;
      memory.revival.restarted();
      memory.unsettledPasses = 0;
      memory.said = '';
      return true;
    },
  };
  return memory;
}

/** A platform that has no connections of its own, or whose files are broken, is not waited for longer. */
const STARTING_MS = 5000;

/** An IKE_SA that was told to go, or to be made anew, is not told again for so long. */
const ASKED_MS = 60_000;

export interface AskedSas {
  note(steps: readonly Step[], nowMs: number): void;
  /** `asked` of diff.ts. */
  current(nowMs: number): ReadonlySet<number>;
  clear(): void;
}

function askedSas(): AskedSas {
  const since = new Map<number, number>();
  return {
    note: (steps, nowMs) => {
      for (const step of steps)
        if (step.kind === 'terminate-ike' || step.kind === 'reauthenticate') since.set(step.uniqueId, nowMs);
    },
    current: (nowMs) => {
      for (const [id, sinceMs] of since) if (nowMs - sinceMs > ASKED_MS) since.delete(id);
      return new Set(since.keys());
    },
    clear: () => since.clear(),
  };
}
