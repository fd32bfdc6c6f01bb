// The platform's part of IPsec on each host: starts, kills and restarts charon as pmon does, renews certificates as
// the daily job does, and keeps management traffic flowing so that `system-nodes` has its SAs.
import { join } from 'node:path';
import type { GuestProcess } from './guest-process.ts';
import type { Places } from './places.ts';
import type { Certificate, KeyKind, PlatformPki } from './pki.ts';
import { certificateFiles, platformFiles } from './platform-conf.ts';
import { HOST_NAMES, HOSTS, peersOf, type LabHost } from './topology.ts';

export interface PlatformIpsec {
  /** swanctl on a host; gives its standard output, rejects on an error. */
  swanctl(host: LabHost, ...args: readonly string[]): Promise<string>;
  /** Starts charon and resolves when the platform's own `--load-all` is over. */
  startCharon(host: LabHost, env?: Readonly<Record<string, string>>): Promise<void>;
  /** Sends a signal and, when charon ends of it, resolves then. */
  killCharon(host: LabHost, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** As pmon does for a charon that died (SIGKILL) or was stopped: a new one, a new socket. */
  restartCharon(
    host: LabHost,
    signal?: 'SIGTERM' | 'SIGKILL',
    env?: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** A certificate by the platform's current (or previous) local CA for any name, with keys of another kind if told. */
  issueCertificate(commonName: string, issuer?: 'previous' | 'current', keys?: KeyKind): Certificate;
  /** One for any name that ended yesterday. */
  expiredCertificate(commonName: string): Certificate;
  /** CAs that come after the platform's present ones. */
  nextAuthorities(): PlatformPki;
  /** Puts a certificate in place of the host's own and makes charon load it. */
  installCertificate(host: LabHost, certificate: Certificate): Promise<void>;
  /** The platform's renewal: new key and certificate, `--load-creds --clear`, `--load-conns`. */
  renewCertificate(host: LabHost): Promise<void>;
  /** Resolves when every host has two `system-nodes` SAs with every other. */
  systemNodesUp(timeoutMs?: number): Promise<void>;
}

/** Writes the platform's files on every host; starts nothing yet. */
export async function preparePlatform(places: Places, pki: PlatformPki, dir: string): Promise<PlatformIpsec> {
  const daemons = new Map<LabHost, GuestProcess>();
  const swanctl: PlatformIpsec['swanctl'] = (host, ...args) => places.run(host, ['swanctl', ...args]);
  const installFiles = (host: LabHost, files: Readonly<Record<string, string>>): Promise<void> =>
    places.writeFiles(host, below('/etc/swanctl/', files));
  const ipsec: PlatformIpsec = {
    swanctl,
    startCharon: async (host, env = {}) => {
      const logFile = join(dir, `charon-${host}.log`);
      const daemon = places.spawn(host, ['/usr/lib/ipsec/charon'], { logFile, env });
      daemons.set(host, daemon);
      await daemon.waitFor(/loaded \d+ connections|start-script|no connections found/);
    },
    killCharon: async (host, signal) => {
      daemons.get(host)?.kill(signal);
      await daemons.get(host)?.wait();
    },
    restartCharon: async (host, signal = 'SIGKILL', env = {}) => {
      await ipsec.killCharon(host, signal);
      // A charon that was killed leaves its PID file; pmon's script removes it.
      await places.run(host, ['rm', '-f', '/run/charon.pid', '/run/charon.vici']);
      await ipsec.startCharon(host, env);
    },
    issueCertificate: (commonName, issuer, keys) => pki.issue(commonName, issuer, keys),
    expiredCertificate: (commonName) => pki.expired(commonName),
    nextAuthorities: () => pki.successor(),
    installCertificate: async (host, certificate) => {
      await installFiles(host, certificateFiles(HOSTS[host], certificate));
      await swanctl(host, '--load-creds', '--clear', '--noprompt');
      await swanctl(host, '--load-conns');
    },
    renewCertificate: (host) => ipsec.installCertificate(host, pki.issue(`ipsec-${host}`)),
    systemNodesUp: async (timeoutMs = 60_000) => {
      const deadline = performance.now() + timeoutMs;
      for (const host of HOST_NAMES) await systemNodesOf(swanctl, host, deadline);
    },
  };
  await Promise.all(
    HOST_NAMES.map((host) => installFiles(host, platformFiles(HOSTS[host], pki, pki.issue(`ipsec-${host}`)))),
  );
  return ipsec;
}

/**
 * The hosts talk on the management network all the time, as the platform's services do. Resolves when each pair has
 * two `system-nodes` SAs, as real pairs have, because both ends initiate. So that they surely do, all begin at one
 * signal, and packets take half a second at first: nobody has an SA of the other's before starting one.
 */
export async function startManagementTraffic(places: Places, ipsec: PlatformIpsec): Promise<void> {
  const delay = (action: string): string =>
    HOST_NAMES.map((host) => `qdisc ${action} dev mgmt-${HOSTS[host].number} root netem delay 500ms\n`).join(
      '',
    );
  await places.run('guest', ['tc', '-batch', '-'], { input: delay('add') });
  const senders = HOST_NAMES.map((host) => heartbeat(places, host));
  await Promise.all(senders.map((sender) => sender.waitFor(/ready/)));
  for (const sender of senders) sender.kill('SIGUSR1');
  await ipsec.systemNodesUp();
  await places.run('guest', ['tc', '-batch', '-'], { input: delay('del') });
}

/** What the platform of a host that was started again says to its peers. */
export async function restartManagementTraffic(places: Places, host: LabHost): Promise<void> {
  const sender = heartbeat(places, host);
  await sender.waitFor(/ready/);
  sender.kill('SIGUSR1');
}

function heartbeat(places: Places, host: LabHost): GuestProcess {
  const peers = peersOf(host).map((peer) => peer.management);
  return places.spawn(host, ['/usr/bin/python3', '-IS', '-c', HEARTBEAT, HOSTS[host].management, ...peers]);
}

const HEARTBEAT = `
import signal, socket, sys, time
own, *peers = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((own, 2222))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
print("ready", flush=True)
signal.sigwait([signal.SIGUSR1])
while True:
    for peer in peers:
        try: s.sendto(b"heartbeat", (peer, 2222))
        except OSError: pass
    time.sleep(1)
`;

async function systemNodesOf(
  swanctl: PlatformIpsec['swanctl'],
  host: LabHost,
  deadline: number,
): Promise<void> {
  for (;;) {
    const sas = await swanctl(host, '--list-sas', '--ike', 'system-nodes');
    const established = sas.match(/^system-nodes: .*ESTABLISHED/gm)?.length ?? 0;
    if (established === 2 * peersOf(host).length) return;
    if (performance.now() > deadline) throw new Error(`${host} has not two system-nodes SAs a peer:\n${sas}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

function below(folder: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [folder + path, text]));
}
