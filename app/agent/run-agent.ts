// The agent as a whole: binds its health port before anything else (one agent acts on a host), then watches facts, keeps
// charon as they say and reports. Runs until told to stop; protection stays as it is.
import { Registry } from 'prom-client';
import type { HostName } from '../domain/facts.ts';
import { confFile } from '../host/conf-file.ts';
import { nftSession } from '../guard/nft-session.ts';
import { nftProgram } from '../guard/nft.ts';
import { Client } from '../kubernetes/client.ts';
import { systemClock } from '../runtime/clock.ts';
import { describeError } from '../runtime/errors.ts';
import { failureLog } from '../runtime/failure-log.ts';
import { startHealthServer } from '../runtime/health-server.ts';
import type { Log } from '../runtime/log.ts';
import type { Settings } from '../runtime/settings.ts';
import { startWorkLoop } from '../runtime/work-loop.ts';
import { programMetrics } from '../runtime/program-metrics.ts';
import { isOurs } from '../domain/names.ts';
import { changeTimer } from './change-timer.ts';
import { stuckPart } from '../runtime/liveness.ts';
import { ownHost } from './own-host.ts';
import { agentMetrics } from './agent-metrics.ts';
import { agentPass } from './agent-pass.ts';
import { charonEar } from './charon-ear.ts';
import { clockCheck } from './clock-check.ts';
import { charonLink } from './charon-link.ts';
import { factsSource } from './facts-source.ts';
import { guardKeeper } from './guard-keeper.ts';
import { startReporter } from './reporter.ts';

export interface RunAgentOptions {
  readonly settings: Settings;
  readonly log: Log;
  readonly onBug: (error: unknown) => void;
}

/** Resolves with the function that stops it. Throws SettingsError when another agent acts on this host. */
export async function runAgent({ settings, log, onBug }: RunAgentOptions): Promise<() => Promise<void>> {
  const clock = systemClock;
  const self = settings.nodeName as HostName;
  const registry = new Registry();
  let ready = false;
  const own = ownHost({ self, clock, log });
  const unready = (): string | undefined => {
    if (!ready) return 'no pass has ended yet';
    if (!source.isSynced()) return 'the API server has not given all facts yet';
    return own.isMissing() ? `no IPsecHost is called ${self}: is NODE_NAME the name of the Node?` : undefined;
  };
  const health = await startHealthServer({
    host: settings.healthHost,
    port: settings.healthPort,
    registry,
    unhealthy: () =>
      stuckPart([...source.parts, ...reporter.parts, { name: 'the pass', stillMs: () => loop.busyMs() }]),
    unready: () => unready(),
  });
  const counts = programMetrics(registry, 'agent');
  const metrics = agentMetrics(registry, self);
  const time = clockCheck(self, clock);
  const client = new Client({
    ...(settings.kubeconfig === '' ? {} : { kubeconfig: settings.kubeconfig }),
    onRequest: counts.onRequest,
    onServerTime: (timeMs) => time.serverTime(timeMs),
  });
  const onFailure = failureLog({ clock, log, onEach: counts.onFailure });
  const change = changeTimer(clock, metrics.onInForce);
  const source = factsSource(client, self, {
    clock,
    onChange: () => {
      change.began();
      loop.trigger();
    },
    onFailure,
    onBug,
  });
  const reporter = startReporter({
    client,
    self,
    clock,
    onFailure,
    onBug,
    hosts: () => source.current()?.facts?.hosts.length ?? 1,
    random: Math.random,
  });
  const link = charonLink({
    path: settings.viciSocket,
    timeoutMs: 20_000,
    onEvent: () => loop.trigger(),
    onRekey: (kind, connection) => {
      if (isOurs(connection)) metrics.onRekey(kind);
    },
    onCommand: metrics.onCommand,
    onLost: (error) => {
      metrics.onLost();
      log.warn({ reason: describeError(error ?? 'closed') }, 'charon is gone');
      loop.trigger();
    },
  });
  const ear = charonEar({
    path: settings.viciSocket,
    timeoutMs: 20_000,
    clock,
    onNews: () => loop.trigger(),
  });
  let sessions = 0;
  const nft = nftSession(nftProgram());
  const pass = agentPass({
    self,
    facts: () => {
      const known = source.current();
      own.seen(known?.facts);
      metrics.onFacts(known?.facts);
      metrics.onUnknownHost(own.isMissing());
      return known && { ...known, problems: [...known.problems, ...time.problems()] };
    },
    link,
    ear,
    conf: confFile(settings.confFile),
    guard: guardKeeper({
      nft,
      localInterfaces: settings.localInterfaces,
      clock,
      log,
      watcher: metrics,
    }),
    report: (report) => {
      metrics.onReport(report);
      reporter.offer(report);
    },
    clock,
    log,
    random: Math.random,
    verifyMs: settings.verifySeconds * 1000,
    watcher: {
      onLook: metrics.traffic.seen,
      onFlows: metrics.onFlows,
      onHandshakeFailed: metrics.onHandshakeFailed,
      onRestart: () => {
        metrics.traffic.restarted();
        metrics.onConnected(sessions > 0);
        sessions += 1;
      },
      onApplied: change.applied,
    },
  });
  const loop = startWorkLoop({
    clock,
    settleMs: 20,
    maxBackoffMs: 5000,
    onFailure,
    onBug,
    onPass: counts.onPass,
    pass: async () => {
      const nextMs = await pass();
      ready = true;
      return nextMs;
    },
  });
  source.start();
  reporter.start();
  loop.trigger();
  log.info({ healthPort: health.port }, 'agent started');
  return async () => {
    await loop.stop();
    link.close();
    nft.close();
    ear.close();
    await Promise.all([source.stop(), reporter.stop()]);
    await Promise.all([client.close(), health.close()]);
  };
}
