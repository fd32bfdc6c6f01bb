// Boots the user-mode-linux guest and runs programs in it. It has kernel parts that this machine may lack (ESP) and
// nothing that survives the test process. What is built inside is network.ts's business.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { guestCommands, type GuestCommands } from './guest-commands.ts';
import { GUEST_ADDRESS, NETWORKS, OUTSIDE_ADDRESS } from './topology.ts';

export interface Guest extends GuestCommands {
  /** The end of its console. */
  logTail(): string;
  stop(): Promise<void>;
}

export interface GuestOptions {
  /** On a file system that the guest sees too: not in /run, /dev or /mnt. */
  readonly dir: string;
  readonly memoryMiB?: number;
}

/** Modules of the guest: ESP and its ciphers, interfaces, what iptables and kube-proxy use, sctp. */
const MODULES = [
  ...['ipv6', 'xfrm_user', 'esp4', 'esp6', 'sha512_generic', 'veth', 'bridge', 'sctp'],
  ...[
    'iptable_nat',
    'iptable_filter',
    'iptable_mangle',
    'ip6table_nat',
    'ip6table_filter',
    'ip6table_mangle',
  ],
  ...['nf_conntrack', 'nf_conntrack_netlink', 'nf_tables', 'xt_comment', 'xt_statistic', 'xt_mark'],
  ...[
    'xt_MASQUERADE',
    'xt_addrtype',
    'xt_conntrack',
    'xt_nat',
    'xt_tcpudp',
    'nft_ct',
    'nft_chain_nat',
    'nft_nat',
    'nft_masq',
  ],
];

/** Boots and resolves when the server inside has called. Rejects with the end of the guest's console. */
export async function startGuest(options: GuestOptions): Promise<Guest> {
  requireEverything();
  execFileSync('ip', ['tuntap', 'add', 'tap0', 'mode', 'tap']);
  execFileSync('ip', ['addr', 'add', `${OUTSIDE_ADDRESS}/24`, 'dev', 'tap0']);
  execFileSync('ip', ['link', 'set', 'tap0', 'up']);
  const logFile = join(options.dir, 'guest.log');
  const logTail = (): string => readFileSync(logFile, 'utf8').split('\n').slice(-30).join('\n');
  const server = createServer();
  const port = await listen(server);
  const machine = boot(options, logFile, port);
  const ended = new Promise<void>((resolve) => machine.once('exit', () => resolve()));
  try {
    const socket = await Promise.race([
      nextConnection(server),
      ended.then(() => Promise.reject(new Error('the guest ended while booting'))),
      after(60_000).then(() => Promise.reject(new Error('the guest did not come up in 60 s'))),
    ]);
    server.close();
    // A killed guest sends no farewell.
    void ended.then(() => socket.destroy());
    return { ...guestCommands(socket), logTail, stop: () => stop(machine, ended) };
  } catch (error) {
    server.close();
    await stop(machine, ended);
    throw new Error(`${(error as Error).message}; its console:\n${logTail()}`, { cause: error });
  }
}

const PROGRAMS = [
  ...[
    '/usr/bin/linux.uml',
    '/usr/bin/python3',
    '/usr/lib/ipsec/charon',
    '/usr/bin/tcpdump',
    '/usr/sbin/dnsmasq',
  ],
  ...['/usr/sbin/nft', '/usr/sbin/xtables-legacy-multi', '/dev/net/tun'],
];

function requireEverything(): void {
  if (process.env['IPSEC_LAB'] === undefined)
    throw new Error('the lab needs a network namespace of its own: start it by scripts/testbed');
  for (const path of PROGRAMS)
    if (!existsSync(path)) throw new Error(`${path} is missing: run scripts/setup first`);
}

/** Everything of the guest is below one process that dies with this one. */
function boot(options: GuestOptions, logFile: string, port: number): ChildProcess {
  const here = import.meta.dirname;
  const words = {
    LAB_MODULES: MODULES.join(' '),
    LAB_CACHE: process.env['IPSEC_CACHE'] ?? '/nonexistent',
    LAB_NETWORKS: NETWORKS.join(' '),
    LAB_GUEST: GUEST_ADDRESS,
    LAB_OUTSIDE: OUTSIDE_ADDRESS,
    LAB_PORT: port,
    LAB_SERVER: join(here, 'guest-server.py'),
  };
  const log = openSync(logFile, 'a');
  const machine = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', 'unshare', '--fork', '--pid', '--kill-child=SIGKILL'],
      ...['linux.uml', `mem=${options.memoryMiB ?? 2048}M`, 'rootfstype=hostfs', 'rootflags=/', 'rw'],
      ...[`init=${join(here, 'init.sh')}`, 'con=null', 'con0=fd:0,fd:1', 'quiet'],
      'vec0:transport=tap,ifname=tap0,depth=128,gro=0',
      ...Object.entries(words).map(([name, value]) => `${name}="${value}"`),
    ],
    { stdio: ['ignore', log, log], env: { ...process.env, TMPDIR: '/dev/shm' } },
  );
  closeSync(log);
  return machine;
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, OUTSIDE_ADDRESS, () => {
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : 0);
    });
  });
}

function nextConnection(server: Server): Promise<Socket> {
  return new Promise((resolve) => server.once('connection', resolve));
}

async function stop(machine: ChildProcess, ended: Promise<void>): Promise<void> {
  if (machine.exitCode === null && machine.signalCode === null) machine.kill('SIGKILL');
  await ended;
  execFileSync('ip', ['link', 'del', 'tap0'], { stdio: 'ignore' });
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
