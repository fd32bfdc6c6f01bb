// Takes all protection away before the application goes, with the agents' help and without the manager's: takes the Lease,
// deletes the policies, and runs the manager's own passes for a world without policies until every host has reported that it
// has nothing left, or the time is over. What hosts keep is said, and never a reason to fail: the removal must go on.
import { holders, isWithdrawn, type Withdrawal } from '../domain/withdrawal.ts';
import { isConflict, isNotFound } from '../kubernetes/api-error.ts';
import { Client } from '../kubernetes/client.ts';
import { takeLeaseOver, type Leadership, type LeaseOptions } from '../kubernetes/lease.ts';
import { pause } from '../kubernetes/pause.ts';
import { policyReader } from '../kubernetes/read-policy.ts';
import { MANAGER_LEASE, POLICIES } from '../kubernetes/resources.ts';
import { makeReader, METADATA, objectOf, type Metadata } from '../kubernetes/schema.ts';
import { WatchCache } from '../kubernetes/watch-cache.ts';
import type { Clock } from '../runtime/clock.ts';
import { describeError, isWorldError, type WorldError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log.ts';
import type { Settings } from '../runtime/settings.ts';
import { startWorkLoop } from '../runtime/work-loop.ts';
import { managerPass } from './manager-pass.ts';
import { networkSettings } from './run-manager.ts';
import { worldSource, type WatchCallbacks, type WorldSource } from './world-source.ts';

export interface WithdrawOptions {
  readonly settings: Settings;
  readonly log: Log;
  readonly clock: Clock;
}

/** In all; the platform gives the whole removal 60 s. */
const LIMIT_MS = 15_000;
/** A Ready host that does not report holds each of two steps for so long. */
const STAGE_WAIT_MS = 4000;
/** No manager leads again before all of the application is gone: it is kept, not given back. */
const LEASE_SECONDS = 60;
const LEASE_TRIES = 30;
const LEASE_RETRY_MS = 100;

/** Resolves when nothing is left, or after 15 s at most. Rejects with what made it impossible. */
export async function withdraw({ settings, log, clock }: WithdrawOptions): Promise<void> {
  const timeOver = new AbortController();
  const cancel = clock.schedule(LIMIT_MS, () => timeOver.abort());
  const client = new Client(settings.kubeconfig === '' ? {} : { kubeconfig: settings.kubeconfig });
  try {
    const leadership = await takeLease({ client, settings, log, clock }, timeOver.signal);
    await withdrawLeading({ client, settings, log, clock, leadership }, timeOver.signal);
    await leadership?.keep();
  } finally {
    cancel();
    await client.close();
  }
}

interface Tools extends WithdrawOptions {
  readonly client: Client;
}

interface LeadingTools extends Tools {
  /** Undefined when the Lease could not be had: what it keeps apart is then kept apart by versions alone. */
  readonly leadership: Leadership | undefined;
}

/** The manager renews meanwhile: whoever is second tries again. */
async function takeLease(
  { client, settings, log, clock }: Tools,
  signal: AbortSignal,
): Promise<Leadership | undefined> {
  const onFailure = (error: WorldError): void =>
    log.warn({ reason: describeError(error) }, 'the Lease cannot be renewed');
  const { namespace } = settings;
  const options: LeaseOptions = {
    client,
    clock,
    namespace,
    name: MANAGER_LEASE,
    identity: 'withdraw',
    leaseSeconds: LEASE_SECONDS,
    onFailure,
  };
  for (let tries = 0; tries < LEASE_TRIES && !signal.aborted; tries += 1) {
    try {
      return await takeLeaseOver(options);
    } catch (error) {
      if (!isWorldError(error)) throw error;
      if (!isConflict(error)) log.warn({ reason: describeError(error) }, 'the Lease cannot be taken');
    }
    await pause(clock, LEASE_RETRY_MS, signal);
  }
  return undefined;
}

async function withdrawLeading(tools: LeadingTools, signal: AbortSignal): Promise<void> {
  const { client, settings, log, clock, leadership } = tools;
  const done = Promise.withResolvers<undefined>();
  signal.addEventListener('abort', () => done.resolve(undefined), { once: true });
  if (signal.aborted) done.resolve(undefined);
  const onFailure = (error: WorldError): void => log.warn({ reason: describeError(error) }, 'trying again');
  const callbacks = { clock, onChange: () => loop.trigger(), onFailure, onBug: done.reject };
  const source = worldSource(client, { ...callbacks, onReport: callbacks.onChange });
  const pass = managerPass({
    client,
    source: withoutPolicies(client, source, callbacks),
    events: { say: () => Promise.resolve() },
    settings: { ...networkSettings(settings), stageWaitMs: STAGE_WAIT_MS },
    clock,
    log,
    check: () => leadership?.check(),
  });
  const deletePolicies = policyDeleter(client, log);
  const loop = startWorkLoop({
    clock,
    settleMs: 20,
    maxBackoffMs: 1000,
    onFailure,
    onBug: done.reject,
    pass: async () => {
      await deletePolicies();
      const nextMs = await pass();
      const now = withdrawalOf(source);
      if (now !== undefined && isWithdrawn(now)) done.resolve(undefined);
      return nextMs;
    },
  });
  source.start();
  loop.trigger();
  try {
    await done.promise;
    say(log, withdrawalOf(source));
  } finally {
    await Promise.all([loop.stop(), source.stop()]);
  }
}

/** The world as it will be; its policies are a cache that is never filled. */
function withoutPolicies(client: Client, source: WorldSource, callbacks: WatchCallbacks): WorldSource {
  return {
    ...source,
    policies: new WatchCache({ client, resource: POLICIES, read: policyReader(), ...callbacks }),
    world: () => {
      const world = source.world();
      return world && { ...world, policies: [] };
    },
  };
}

/** Deletes all that are there now, also those that nothing else can read. */
function policyDeleter(client: Client, log: Log): () => Promise<void> {
  const readMetadata = makeReader<{ metadata: Metadata }, Metadata>(
    objectOf({ metadata: METADATA }, ['metadata']),
    ({ metadata }) => metadata,
  );
  return async () => {
    const { items } = await client.list(POLICIES, {});
    for (const read of items.map(readMetadata)) {
      if (read.kind !== 'value') continue;
      const { name, uid } = read.value;
      try {
        await client.delete(POLICIES, { name }, { uid });
        log.info({ policy: name }, 'policy deleted');
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  };
}

function withdrawalOf(source: WorldSource): Withdrawal | undefined {
  if (source.world() === undefined) return undefined;
  const ready = source.nodes.values().filter((node) => node.ready);
  return {
    shards: source.shards.values(),
    hosts: source.hosts.values().map(({ name }) => name),
    readyHosts: new Set(ready.map(({ name }) => name)),
    reports: source.reports.values().flatMap(({ report }) => report ?? []),
  };
}

function say(log: Log, withdrawal: Withdrawal | undefined): void {
  if (withdrawal === undefined) {
    log.error({}, 'the cluster could not be read in time; hosts may keep what they have');
    return;
  }
  const passedOver = holders(withdrawal);
  for (const host of passedOver)
    log.warn(
      { host, cure: 'remove k8s-nodes.conf and run swanctl --load-conns there, or reboot it after that' },
      'host passed over: it has not reported that nothing is left',
    );
  log.info({ hosts: withdrawal.hosts.length, passedOver }, 'withdrawn');
}
