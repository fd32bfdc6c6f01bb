// The little that an agent remembers between passes. What depends on one charon is forgotten with the session to it; nothing
// here decides what is loaded.
import type { HostReport } from '../domain/facts.ts';
import type { HostConfig } from '../domain/host-config.ts';
import type { Step } from '../swanctl/steps.ts';
import type { CharonSession } from './charon-link.ts';
import { leftOverWatch, type LeftOverWatch } from './left-over-watch.ts';
import { revival, type Revival } from './revive.ts';

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
  /** The guard's counts of the last pass, and the children that were asked for and had no SA. */
  demand: ReadonlyMap<string, number> | undefined;
  lacking: ReadonlySet<string>;
  /** True when this is another session than before: charon may be another process. */
  meets(session: CharonSession): boolean;
}

export function passMemory(): PassMemory {
  let known: CharonSession | undefined;
  const memory: PassMemory = {
    leftOvers: leftOverWatch(),
    asked: askedSas(),
    revival: revival(),
    unsettledPasses: 0,
    said: '',
    report: undefined,
    named: undefined,
    demand: undefined,
    lacking: new Set(),
    meets: (session) => {
      if (session === known) return false;
      known = session;
      memory.leftOvers.clear();
      memory.asked.clear();
      memory.revival.restarted();
      memory.unsettledPasses = 0;
      memory.said = '';
      return true;
    },
  };
  return memory;
}

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
