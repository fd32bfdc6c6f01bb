// Which tunnels should be brought up from here: those that were up when charon was last seen and that its successor lacks,
// and those that are asked for (demand.ts). After a restart the peer still sends into the old SA; only the restarted side
// knows better, so it initiates, for flows of both directions (measured: 1.7 s of loss instead of 4.3 s). With back-off,
// because the peer may be away.
import type { ConnectionName, HostConfig } from '../domain/host-config.ts';
import type { WantedChild } from '../swanctl/diff.ts';
import { childKey } from '../swanctl/loaded.ts';

const FIRST_RETRY_MS = 2000;
const LAST_RETRY_MS = 60_000;
/**
 * A charon that is told to end deletes its SAs first, and may be seen like that: what went so shortly before was up. Longer
 * than it takes to end.
 */
const GOING_MS = 10_000;
/** A peer that did not answer the first time may be starting as well. */
const TRIES_OF_A_SILENT_PEER = 2;

interface Attempt {
  readonly tries: number;
  readonly nextMs: number;
  /** Wanted for its traffic, and no longer than that. */
  readonly isByDemand: boolean;
}

const NOT_TRIED: Attempt = { tries: 0, nextMs: 0, isByDemand: false };

export interface DueOptions {
  readonly nowMs: number;
  /** 0 to 1. */
  readonly random: () => number;
  /** Connections whose IKE_SA is being negotiated: what was asked for waits in it, and would be made twice if asked again. */
  readonly connecting: ReadonlySet<string>;
  /** What is due was tried before, in vain. */
  readonly onRetry?: (connection: ConnectionName) => void;
}

export interface Revival {
  /** charon is another process now: what was established is wanted back. */
  restarted(): void;
  /**
   * By childKey: these are asked for, of all those that are and have no SA (`lacking`). What is tried already keeps its pauses;
   * what was tried for its traffic alone and is not asked for any more is dropped.
   */
  want(keys: Iterable<string>, lacking: Pick<ReadonlySet<string>, 'has'>): void;
  /** Children to initiate in this pass, each noted as tried. */
  due(desired: HostConfig, options: DueOptions): WantedChild[];
  /** What charon has now, by childKey, and what is desired at all. */
  seen(installed: ReadonlySet<string>, desired: HostConfig, nowMs: number): void;
  /** When to try next; Infinity when nothing is to be brought back. */
  nextInMs(nowMs: number): number;
  /** Connections over which nothing has come back although it was tried more than once. */
  unanswered(desired: HostConfig): Set<ConnectionName>;
}

export function revival(): Revival {
  /** What is up or was a short while ago: since when it is missing, Infinity while it is not. */
  let established: ReadonlyMap<string, number> = new Map();
  const attempts = new Map<string, Attempt>();
  const add = (keys: Iterable<string>, isByDemand: boolean): void => {
    for (const key of keys) if (!attempts.has(key)) attempts.set(key, { ...NOT_TRIED, isByDemand });
  };
  return {
    restarted: () => add(established.keys(), false),
    want: (keys, lacking) => {
      for (const [key, { isByDemand }] of attempts) if (isByDemand && !lacking.has(key)) attempts.delete(key);
      add(keys, true);
    },
    due: (desired, { nowMs, random, connecting, onRetry }) => {
      const due = tunnels(desired).filter(({ key }) => (attempts.get(key)?.nextMs ?? Infinity) <= nowMs);
      for (const { key, wanted } of due) {
        const attempt = attempts.get(key) ?? NOT_TRIED;
        if (attempt.tries > 0) onRetry?.(wanted.connection);
        const pauseMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt.tries);
        const nextMs = nowMs + pauseMs * (0.75 + random() / 2);
        attempts.set(key, { ...attempt, tries: attempt.tries + 1, nextMs });
      }
      return due.map(({ wanted }) => wanted).filter(({ connection }) => !connecting.has(connection));
    },
    seen: (installed, desired, nowMs) => {
      const wanted = new Set(tunnels(desired).map(({ key }) => key));
      for (const key of attempts.keys()) if (installed.has(key) || !wanted.has(key)) attempts.delete(key);
      const goneMs = [...established].map(([key, sinceMs]) => [key, Math.min(sinceMs, nowMs)] as const);
      established = new Map([
        ...goneMs.filter(([, sinceMs]) => nowMs - sinceMs < GOING_MS),
        ...[...installed, ...attempts.keys()].map((key) => [key, Infinity] as const),
      ]);
    },
    nextInMs: (nowMs) =>
      [...attempts.values()].reduce(
        (least, { nextMs }) => Math.min(least, Math.max(0, nextMs - nowMs)),
        Infinity,
      ),
    unanswered: (desired) =>
      new Set(
        tunnels(desired)
          .filter(({ key }) => (attempts.get(key)?.tries ?? 0) >= TRIES_OF_A_SILENT_PEER)
          .map(({ wanted }) => wanted.connection),
      ),
  };
}

function tunnels(desired: HostConfig): { key: string; wanted: WantedChild }[] {
  return desired.connections.flatMap((connection) =>
    connection.children
      .filter((child) => child.mode === 'tunnel')
      .map((child) => ({
        key: childKey(connection.name, child.name),
        wanted: { connection: connection.name, child: child.name },
      })),
  );
}
