// Who leads: one holder of a Lease (coordination.k8s.io/v1). Time is judged by our own monotonic clock alone, never by
// another machine's times in the Lease; the optimistic resourceVersion decides between two that try at once.
import type { Clock } from '../runtime/clock.ts';
import { isWorldError, type WorldError } from '../runtime/errors.ts';
import { isAlreadyThere, isConflict, isNotFound } from './api-error.ts';
import type { Client } from './client.ts';
import { leaseObject, microTime, type LeaseObject, type LeaseSpec, type Seen } from './lease-object.ts';
import { pause } from './pause.ts';

export interface LeaseOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly namespace: string;
  readonly name: string;
  /** Unique for each process: a pod's name and uid. */
  readonly identity: string;
  /** Without a renewal for so long, another may take over. */
  readonly leaseSeconds?: number;
  readonly renewSeconds?: number;
  readonly retrySeconds?: number;
  readonly onFailure: (error: WorldError) => void;
}

/** Held from `acquireLease` until `lost` is aborted. */
export interface Leadership {
  /** Aborted when another holds the Lease, or our own time has run out without a renewal. */
  readonly lost: AbortSignal;
  /**
   * Throws LeadershipLostError when the time has run out. To be called before every write: a process that was paused
   * comes back in the middle of a pass, before any timer has told it.
   */
  check(): void;
  /** Stops renewing and gives the Lease back, so that a successor need not wait. */
  release(): Promise<void>;
  /** Stops renewing and holds the Lease until it expires: for one that wants no successor. */
  keep(): Promise<void>;
}

/** This process leads no more; it should end, and start again as a candidate. */
export class LeadershipLostError extends Error implements WorldError {
  readonly retry = 'never';
  constructor() {
    super('leadership is lost: another manager may already be writing');
    this.name = 'LeadershipLostError';
  }
}

const LEASE_SECONDS = 15;
const RENEW_SECONDS = 4;
const RETRY_SECONDS = 2;

/** Tries until it holds the Lease, or until `signal` is aborted (then undefined). Throws on a bug alone. */
export async function acquireLease(
  options: LeaseOptions,
  signal: AbortSignal,
): Promise<Leadership | undefined> {
  const { clock, retrySeconds = RETRY_SECONDS } = options;
  const lease = leaseObject(options.client, clock, { namespace: options.namespace, name: options.name });
  let version: string | undefined;
  let sinceMs = clock.monotonic();
  while (!signal.aborted) {
    try {
      const seen = await lease.read();
      if (seen?.resourceVersion !== version) sinceMs = clock.monotonic();
      version = seen?.resourceVersion;
      if (isFree(options, seen, clock.monotonic() - sinceMs)) return await take(options, lease, seen);
    } catch (error) {
      reportOrThrow(options, error);
    }
    await pause(clock, retrySeconds * 1000, signal);
  }
  return undefined;
}

/** Takes the Lease from whoever holds it: `withdraw` does, and the manager stops when it sees that. */
export async function takeLeaseOver(options: LeaseOptions): Promise<Leadership> {
  const lease = leaseObject(options.client, options.clock, {
    namespace: options.namespace,
    name: options.name,
  });
  return take(options, lease, await lease.read());
}

/** Free: without a holder, ours from before a restart, or not renewed for as long as its holder promised to. */
function isFree(options: LeaseOptions, seen: Seen | undefined, unchangedMs: number): boolean {
  const holder = seen?.spec.holderIdentity ?? '';
  if (holder === '' || holder === options.identity) return true;
  const leaseSeconds = seen?.spec.leaseDurationSeconds ?? options.leaseSeconds ?? LEASE_SECONDS;
  return unchangedMs > leaseSeconds * 1000;
}

async function take(options: LeaseOptions, lease: LeaseObject, seen: Seen | undefined): Promise<Leadership> {
  const { clock, identity, leaseSeconds = LEASE_SECONDS } = options;
  const spec: LeaseSpec = {
    holderIdentity: identity,
    leaseDurationSeconds: leaseSeconds,
    acquireTime: microTime(clock),
    leaseTransitions: seen === undefined ? 0 : (seen.spec.leaseTransitions ?? 0) + 1,
  };
  const askedAtMs = clock.monotonic();
  return lead(options, lease, { held: await lease.write(seen, spec), askedAtMs });
}

/** Renews in the background. Every deadline counts from before the request that renewed was sent. */
function lead(
  options: LeaseOptions,
  lease: LeaseObject,
  first: { readonly held: Seen; readonly askedAtMs: number },
): Leadership {
  const { clock, leaseSeconds = LEASE_SECONDS, renewSeconds = RENEW_SECONDS } = options;
  const lost = new AbortController();
  const ended = new AbortController();
  let { held } = first;
  let validUntilMs = 0;
  let cancelExpiry = (): void => undefined;

  const lose = (): void => {
    cancelExpiry();
    lost.abort();
    ended.abort();
  };
  const validFrom = (askedAtMs: number): void => {
    cancelExpiry();
    validUntilMs = askedAtMs + leaseSeconds * 1000;
    cancelExpiry = clock.schedule(validUntilMs - clock.monotonic(), lose);
  };
  const renew = async (): Promise<void> => {
    const askedAtMs = clock.monotonic();
    try {
      held = await lease.write(held, held.spec);
      if (!ended.signal.aborted) validFrom(askedAtMs);
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) lose();
      else reportOrThrow(options, error);
    }
  };
  const renewAll = async (): Promise<void> => {
    await pause(clock, renewSeconds * 1000, ended.signal);
    while (!ended.signal.aborted) {
      await renew();
      await pause(clock, renewSeconds * 1000, ended.signal);
    }
  };

  validFrom(first.askedAtMs);
  const renewing = renewAll();
  // A bug there ends the leadership at once, and `release` throws it.
  renewing.catch(lose);
  const end = async (): Promise<void> => {
    cancelExpiry();
    ended.abort();
    await renewing;
  };
  return {
    lost: lost.signal,
    check: () => {
      if (clock.monotonic() >= validUntilMs) lose();
      if (lost.signal.aborted) throw new LeadershipLostError();
    },
    release: async () => {
      await end();
      if (!lost.signal.aborted) await giveBack(options, lease, held);
    },
    keep: end,
  };
}

async function giveBack(options: LeaseOptions, lease: LeaseObject, held: Seen): Promise<void> {
  try {
    await lease.write(held, { ...held.spec, holderIdentity: '', leaseDurationSeconds: 1 });
  } catch (error) {
    // It expires by itself; whoever has it by now is the rightful holder.
    reportOrThrow(options, error);
  }
}

/** That another was faster is no failure; one of the world is said and tried again; a bug is thrown. */
function reportOrThrow(options: LeaseOptions, error: unknown): void {
  if (isAlreadyThere(error) || isConflict(error)) return;
  if (!isWorldError(error)) throw error;
  options.onFailure(error);
}
