// Two hosts with pods in network namespaces of this machine's own kernel, for tests of the guard. No IPsec is needed: a second
// link between the hosts, named like a pod's interface, stands for what goes and comes by IPsec.
//
//   near (pod) -cali-near- A ===cluster=== B -cali-far- far (pod, the endpoint)
//                          A ---cali-esp-- B -cali-next- next (pod beside the endpoint)
//
// Every namespace lives as long as a process that dies with the test.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { nftSession, type NftSession } from '../../app/guard/nft-session.ts';
import { nftProgram, type Nft } from '../../app/guard/nft.ts';
import type { PodAnswer, PodOrder, Sending } from './guard-pod.ts';

export type PodName = 'near' | 'far' | 'next';
export type HostLetter = 'A' | 'B';
type Place = PodName | HostLetter;

export const PODS: Readonly<
  Record<PodName, { readonly host: HostLetter; readonly 4: string; readonly 6: string }>
> = {
  near: { host: 'A', 4: '172.16.192.65', 6: 'fd00:172:16::c0:41' },
  far: { host: 'B', 4: '172.16.166.178', 6: 'fd00:172:16::a6:b2' },
  next: { host: 'B', 4: '172.16.166.179', 6: 'fd00:172:16::a6:b3' },
};
export const POOLS = { 4: '172.16.0.0/16', 6: 'fd00:172:16::/64' } as const;
export const CLUSTER_IPS = { 4: '10.96.0.10', 6: 'fd00:96::a' } as const;
export const HOSTS = {
  A: { 4: '192.168.206.2', 6: 'fd00:206::2' },
  B: { 4: '192.168.206.3', 6: 'fd00:206::3' },
} as const;
/** Addresses of the link that stands for IPsec. */
const ESP = { A: { 4: '10.9.9.2', 6: 'fd00:9::2' }, B: { 4: '10.9.9.3', 6: 'fd00:9::3' } } as const;
const GATEWAY = { 4: '169.254.1.1', 6: 'fe80::1' } as const;

/** No neighbour or multicast discovery. */
const CAPTURED = '(ip or (ip6 and not ip6[6] = 0)) and not (icmp6 and ip6[40] >= 130)';

/** For what will be answered: on a loaded machine late. What is held is waited for as long as `send` does by itself. */
export const ANSWERED = { waitMs: 20_000 } as const;

export interface Pod {
  listen(protocol: 'udp' | 'tcp', family: 4 | 6, port: number): Promise<void>;
  /** Datagrams that a listening port has received so far. */
  received(port: number): Promise<number>;
  send(sending: Sending): Promise<PodAnswer>;
  connect(sending: Sending): Promise<PodAnswer>;
  /** Datagrams without a pause until `endFlood`. */
  flood(sending: Sending): Promise<void>;
  endFlood(): Promise<void>;
}

/** Lines of a program's output, complete up to a mark that is made to appear in it. */
export interface Watch {
  stop(): Promise<string[]>;
}

export interface GuardNetwork {
  readonly pods: Readonly<Record<PodName, Pod>>;
  nft(host: HostLetter): Nft;
  run(place: Place, ...words: readonly string[]): string;
  /** `ipsec`: packets of that host's pods to the pods there go over the link that stands for IPsec. */
  route(from: HostLetter, by: 'wire' | 'ipsec'): void;
  /** What either host puts on the wire, one line a packet: what arrives is seen a second time when it is decrypted. */
  capture(): Promise<Watch>;
  /** What `nft monitor` says on a host. */
  monitor(host: HostLetter): Promise<Watch>;
  close(): void;
}

export async function startGuardNetwork(): Promise<GuardNetwork> {
  const processes: ChildProcess[] = [];
  const places = {} as Record<Place, number>;
  for (const place of ['A', 'B', 'near', 'far', 'next'] as const)
    places[place] = await startNamespace(processes);
  const inside = (place: Place): string[] => ['nsenter', `--net=/proc/${places[place]}/ns/net`];
  const run = (place: Place, ...words: readonly string[]): string => execute([...inside(place), ...words]);
  const watch = (place: Place, words: readonly string[], mark: Mark): Promise<Watch> => {
    const child = spawnTied([...inside(place), ...words]);
    processes.push(child);
    return startWatch(child, mark);
  };

  buildLinks(places);
  for (const host of ['A', 'B'] as const) configureHost(host, run);
  for (const pod of ['near', 'far', 'next'] as const) configurePod(pod, run);
  const route = (from: HostLetter, by: 'wire' | 'ipsec'): void => routePods(from, by, run);
  route('A', 'wire');
  route('B', 'wire');

  for (const family of [4, 6] as const) awaitPath(PODS.far[family], run);

  const pods = {} as Record<PodName, Pod>;
  for (const pod of ['near', 'far', 'next'] as const) pods[pod] = await startPod(pod, inside(pod), processes);
  let marks = 0;
  const nftOf = (host: HostLetter): NftSession => {
    const command = ['nsenter', `--net=/proc/${places[host]}/ns/net`, 'nft'] as const;
    return nftSession(nftProgram({ command: [...command] }), { command: [...command] });
  };
  const nfts = { A: nftOf('A'), B: nftOf('B') };
  return {
    pods,
    run,
    route,
    nft: (host) => nfts[host],
    capture: async () => {
      const make = (): string => {
        marks += 1;
        // tcpdump prints the length with the ICMP header.
        run('A', 'ping', '-c', '1', '-W', '1', '-s', String(marks), HOSTS.B[4]);
        return `length ${marks + 8}`;
      };
      const words = ['tcpdump', '-Q', 'out', '-qlnni', 'cluster', '--immediate-mode', CAPTURED];
      const mark = { looksLike: /ICMP echo re/, make };
      const watches = [await watch('A', words, mark), await watch('B', words, mark)];
      return {
        stop: async () => {
          const lines = [];
          for (const side of watches) lines.push(...(await side.stop()));
          return lines;
        },
      };
    },
    monitor: (host) => {
      const make = (): string => {
        marks += 1;
        const name = `mark_${marks}_`;
        run(host, 'nft', `add table inet ${name}`);
        run(host, 'nft', `delete table inet ${name}`);
        return `delete table inet ${name}`;
      };
      return watch(host, ['nft', 'monitor'], { looksLike: /mark_|new generation/, make });
    },
    close: () => {
      nfts.A.close();
      nfts.B.close();
      for (const child of processes) child.kill('SIGKILL');
    },
  };
}

interface Mark {
  /** Lines that are marks, whichever. */
  readonly looksLike: RegExp;
  /** Makes a new one; gives the end of its last line. */
  readonly make: () => string;
}

/** Programs that show nothing in that time are broken; a loaded machine is slow. */
const MARK_MS = 60_000;

/**
 * Ready when a mark has been seen; complete when another one has, and no mark that was made before can be taken for it. Marks are
 * no part of what is returned.
 */
async function startWatch(child: ChildProcess, mark: Mark): Promise<Watch> {
  let lines: string[] = [];
  let wanted: readonly string[] = [];
  let seen = (): void => undefined;
  createInterface({ input: child.stdout! }).on('line', (line) => {
    if (!mark.looksLike.test(line)) lines.push(line);
    else if (wanted.some((text) => line.endsWith(text))) seen();
  });
  const appearance = async (): Promise<void> => {
    const appeared = new Promise<boolean>((resolve) => {
      seen = () => resolve(true);
    });
    wanted = [];
    for (const deadline = performance.now() + MARK_MS; performance.now() < deadline;) {
      // The program may not have been listening yet when the last one was made.
      wanted = [...wanted, mark.make()];
      const later = new Promise<boolean>((resolve) => setTimeout(resolve, 200, false));
      if (await Promise.race([appeared, later])) return;
    }
    throw new Error('the watching program shows nothing');
  };
  await appearance();
  lines = [];
  return {
    stop: async () => {
      await appearance();
      child.kill('SIGKILL');
      return lines;
    },
  };
}

function buildLinks(places: Readonly<Record<Place, number>>): void {
  const link = (a: Place, nameA: string, b: Place, nameB: string): void =>
    void execute([
      ...['ip', 'link', 'add', nameA, 'netns', String(places[a]), 'type', 'veth'],
      ...['peer', 'name', nameB, 'netns', String(places[b])],
    ]);
  link('A', 'cluster', 'B', 'cluster');
  link('A', 'cali-esp', 'B', 'cali-esp');
  for (const pod of ['near', 'far', 'next'] as const) link(PODS[pod].host, `cali-${pod}`, pod, 'eth0');
}

type Run = (place: Place, ...words: readonly string[]) => string;

function configureHost(host: HostLetter, run: Run): void {
  run(
    host,
    'sysctl',
    '-qw',
    'net.ipv4.ip_forward=1',
    'net.ipv6.conf.all.forwarding=1',
    'net.ipv4.conf.all.rp_filter=0',
  );
  run(host, 'sysctl', '-qw', 'net.ipv4.conf.default.rp_filter=0', 'net.ipv6.conf.default.accept_dad=0');
  for (const [device, addresses] of [
    ['cluster', HOSTS[host]],
    ['cali-esp', ESP[host]],
  ] as const) {
    run(host, 'sysctl', '-qw', `net.ipv4.conf.${device}.rp_filter=0`, `net.ipv6.conf.${device}.accept_dad=0`);
    run(host, 'ip', 'addr', 'add', `${addresses[4]}/24`, 'dev', device);
    run(host, 'ip', 'addr', 'add', `${addresses[6]}/64`, 'dev', device, 'nodad');
    run(host, 'ip', 'link', 'set', device, 'up');
  }
  run(host, 'ip', 'link', 'set', 'lo', 'up');
  // Where a cluster IP goes that nothing translates.
  const peer = HOSTS[host === 'A' ? 'B' : 'A'];
  run(host, 'ip', 'route', 'add', 'default', 'via', peer[4]);
  run(host, 'ip', '-6', 'route', 'add', 'default', 'via', peer[6]);
}

function configurePod(pod: PodName, run: Run): void {
  const { host, ...address } = PODS[pod];
  const device = `cali-${pod}`;
  run(host, 'sysctl', '-qw', `net.ipv4.conf.${device}.rp_filter=0`, `net.ipv6.conf.${device}.accept_dad=0`);
  run(host, 'ip', 'addr', 'add', `${GATEWAY[4]}/32`, 'dev', device);
  run(host, 'ip', 'addr', 'add', `${GATEWAY[6]}/64`, 'dev', device, 'nodad');
  run(host, 'ip', 'link', 'set', device, 'up');
  run(pod, 'sysctl', '-qw', 'net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.eth0.accept_dad=0');
  run(pod, 'ip', 'link', 'set', 'lo', 'up');
  run(pod, 'ip', 'link', 'set', 'eth0', 'up');
  run(pod, 'ip', 'addr', 'add', `${address[4]}/32`, 'dev', 'eth0');
  run(pod, 'ip', 'addr', 'add', `${address[6]}/128`, 'dev', 'eth0', 'nodad');
  run(pod, 'ip', 'route', 'add', GATEWAY[4], 'dev', 'eth0');
  run(pod, 'ip', 'route', 'add', 'default', 'via', GATEWAY[4]);
  run(pod, 'ip', '-6', 'route', 'add', 'default', 'via', GATEWAY[6], 'dev', 'eth0');
  run(host, 'ip', 'route', 'add', `${address[4]}/32`, 'dev', device);
  run(host, 'ip', '-6', 'route', 'add', `${address[6]}/128`, 'dev', device);
}

/** A link that has just come up takes a moment until IPv6 works on it. */
function awaitPath(address: string, run: Run): void {
  for (let tries = 0; ; tries += 1) {
    try {
      run('near', 'ping', '-c', '1', '-W', '1', address);
      return;
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}

function routePods(from: HostLetter, by: 'wire' | 'ipsec', run: Run): void {
  const other = from === 'A' ? 'B' : 'A';
  const via = (by === 'wire' ? HOSTS : ESP)[other];
  for (const address of Object.values(PODS).filter((pod) => pod.host === other)) {
    run(from, 'ip', 'route', 'replace', `${address[4]}/32`, 'via', via[4]);
    run(from, 'ip', '-6', 'route', 'replace', `${address[6]}/128`, 'via', via[6]);
  }
}

async function startPod(name: PodName, inside: readonly string[], processes: ChildProcess[]): Promise<Pod> {
  const child = spawnTied([...inside, process.execPath, join(import.meta.dirname, 'guard-pod.ts')], 'ipc');
  processes.push(child);
  const waiting = new Map<number, (answer: PodAnswer) => void>();
  let last = 0;
  child.on('message', ({ id, answer }: { id: number; answer: PodAnswer }) => waiting.get(id)?.(answer));
  await new Promise<void>((resolve, reject) => {
    waiting.set(0, () => resolve());
    child.once('exit', () => reject(new Error(`pod ${name} ended`)));
  });
  const tell = (order: PodOrder): Promise<PodAnswer> =>
    new Promise((resolve) => {
      last += 1;
      waiting.set(last, resolve);
      child.send({ id: last, order });
    });
  return {
    listen: async (protocol, family, port) => {
      await tell({ kind: 'listen', protocol, address: PODS[name][family], port });
    },
    received: async (port) => (await tell({ kind: 'received', port })).packets,
    send: (sending) => tell({ kind: 'send', ...sending }),
    connect: (sending) => tell({ kind: 'connect', ...sending }),
    flood: async (sending) => {
      await tell({ kind: 'flood', ...sending });
    },
    endFlood: async () => {
      await tell({ kind: 'endFlood' });
    },
  };
}

async function startNamespace(processes: ChildProcess[]): Promise<number> {
  const child = spawnTied(['unshare', '--net', 'sh', '-c', 'echo ready; exec sleep infinity']);
  processes.push(child);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', () => reject(new Error('no network namespace: these tests need root')));
  });
  return child.pid!;
}

/** The program dies with this process, however that ends. */
function spawnTied(words: readonly string[], channel?: 'ipc'): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...words], {
    stdio: ['ignore', 'pipe', 'ignore', ...(channel === undefined ? [] : [channel])],
  });
}

function execute([program = '', ...args]: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
