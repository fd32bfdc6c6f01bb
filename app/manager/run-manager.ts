// The manager as a whole: waits for the Lease, then watches, writes facts and statuses until it is told to stop or leads no
// more. Protection needs it for changes alone: hosts keep what they have while it is away.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { Registry } from 'prom-client';
import type { NetworkSettings } from '../domain/network.ts';
import { unreadSentence } from '../domain/unread-kinds.ts';
import { Client } from '../kubernetes/client.ts';
import { eventRecorder } from '../kubernetes/events.ts';
import { acquireLease } from '../kubernetes/lease.ts';
import { MANAGER_LEASE } from '../kubernetes/resources.ts';
import { systemClock } from '../runtime/clock.ts';
import { describeError } from '../runtime/errors.ts';
import { failureLog } from '../runtime/failure-log.ts';
import { gather } from '../runtime/gather.ts';
import { startHealthServer } from '../runtime/health-server.ts';
import { stuckPart, type Part } from '../runtime/liveness.ts';
import type { Log } from '../runtime/log.ts';
import { programMetrics } from '../runtime/program-metrics.ts';
import type { Settings } from '../runtime/settings.ts';
import { startWorkLoop } from '../runtime/work-loop.ts';
import { managerMetrics } from './manager-metrics.ts';
import { managerPass } from './manager-pass.ts';
import { worldSource } from './world-source.ts';

export interface RunManagerOptions {
  readonly settings: Settings;
  readonly log: Log;
  readonly onBug: (error: unknown) => void;
}

/**
 * All hosts answer a change within a moment. Taken together their answers are one step and one write of a shard; each
 * write less spares every host a look and a report.
 */
const ANSWERS_MS = 100;

/** Resolves with the function that stops it; leading begins whenever the Lease is free. */
export async function runManager({ settings, log, onBug }: RunManagerOptions): Promise<() => Promise<void>> {
  const clock = systemClock;
  const registry = new Registry();
  let unread = (): string | undefined => undefined;
  /** While it leads. */
  let parts: readonly Part[] = [];
  const health = await startHealthServer({
    host: settings.healthHost,
    port: settings.healthPort,
    registry,
    unhealthy: () => stuckPart(parts),
    unready: () => unread(),
  });
  const counts = programMetrics(registry, 'manager');
  const metrics = managerMetrics(registry, clock);
  const client = new Client({
    ...(settings.kubeconfig === '' ? {} : { kubeconfig: settings.kubeconfig }),
    onRequest: counts.onRequest,
  });
  const identity =
    settings.identity === '' ? `${hostname()}-${randomBytes(4).toString('hex')}` : settings.identity;
  const onFailure = failureLog({ clock, log, onEach: counts.onFailure });
  const stopping = new AbortController();

  const lead = async (): Promise<void> => {
    const leadership = await acquireLease(
      {
        client,
        clock,
        namespace: settings.namespace,
        name: MANAGER_LEASE,
        identity,
        leaseSeconds: settings.leaseSeconds,
        onFailure: (error) =>
          log.warn({ reason: describeError(error) }, 'the Lease cannot be had, trying again'),
      },
      stopping.signal,
    );
    if (leadership === undefined) return;
    log.info({ identity }, 'leading');
    metrics.onLeading(true);
    const source = worldSource(client, {
      clock,
      onChange: () => loop.trigger(),
      onReport: gather(clock, ANSWERS_MS, () => loop.trigger()),
      onFailure,
      onBug,
    });
    const loop = startWorkLoop({
      clock,
      settleMs: 20,
      onFailure,
      onBug,
      onPass: counts.onPass,
      pass: managerPass({
        client,
        source,
        clock,
        log,
        events: eventRecorder({ client, clock, component: 'manager', instance: identity }),
        settings: { ...networkSettings(settings), stageWaitMs: settings.stageWaitSeconds * 1000 },
        check: () => leadership.check(),
        onStandings: metrics.onStandings,
      }),
    });
    unread = () => {
      const sentences = source.unread().map(unreadSentence);
      return sentences.length === 0 ? undefined : `nothing is planned: ${sentences.join(' ')}`;
    };
    parts = [...source.parts, { name: 'the pass', stillMs: () => loop.busyMs() }];
    source.start();
    await untilAborted([stopping.signal, leadership.lost]);
    await loop.stop();
    await source.stop();
    parts = [];
    metrics.onLeading(false);
    // Not told to stop: another leads. The process ends, and starts again as a candidate.
    if (!stopping.signal.aborted) leadership.check();
    await leadership.release();
  };
  const led = lead().catch((error: unknown) => {
    if (!stopping.signal.aborted) onBug(error);
  });
  log.info({ healthPort: health.port, identity }, 'manager started');
  return async () => {
    stopping.abort();
    await led;
    await Promise.all([client.close(), health.close()]);
  };
}

/** What all hosts must agree on, out of the settings. */
export function networkSettings(settings: Settings): NetworkSettings {
  const { ikeProposal, espProposal, ikeReauthSeconds, ikeRekeySeconds } = settings;
  const { childRekeySeconds, dpdSeconds, caId, guardMode } = settings;
  return {
    guardMode,
    parameters: {
      ikeProposal,
      espProposal,
      ikeReauthSeconds,
      ikeRekeySeconds,
      childRekeySeconds,
      dpdSeconds,
      ...(caId === '' ? {} : { caId }),
    },
  };
}

function untilAborted(signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  return new Promise((resolve) => {
    if (any.aborted) resolve();
    else any.addEventListener('abort', () => resolve(), { once: true });
  });
}
