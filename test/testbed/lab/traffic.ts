// Traffic for tests: a real DNS server and its client, echo servers of any protocol, and numbered messages to them with
// a count of what was lost. The work in the pods is traffic.py's, dnsmasq's.
import { join } from 'node:path';
import type { GuestProcess } from './guest-process.ts';
import type { Place, Places } from './places.ts';

export type TransportProtocol = 'udp' | 'tcp' | 'sctp';

export interface Talk {
  readonly from: Place;
  /** The sender's own address. */
  readonly source: string;
  /** 0, any, when absent. */
  readonly sourcePort?: number;
  readonly protocol: TransportProtocol;
  readonly address: string;
  readonly port: number;
  /** 10 messages, one each 10 ms, of 64 bytes when absent. */
  readonly count?: number;
  readonly intervalMs?: number;
  readonly sizeBytes?: number;
  /** How long to wait for answers (and for a connection); 2 s when absent. */
  readonly lingerMs?: number;
}

export interface TalkResult {
  readonly sent: number;
  readonly received: number;
  /** Numbers of messages without an answer, from 0. */
  readonly lost: readonly number[];
  readonly error: string | null;
}

export interface RunningTalk {
  /** Resolves with the count when the last answer has come or the time is over. */
  readonly result: Promise<TalkResult>;
  stop(): void;
}

export interface Traffic {
  /** dnsmasq answering for `names` (name to addresses) on udp and tcp 53; resolves when it listens. */
  serveDns(
    place: Place,
    address: string,
    names: Readonly<Record<string, readonly string[]>>,
  ): Promise<GuestProcess>;
  /** An echo server; resolves when it listens. */
  serveEcho(place: Place, protocol: TransportProtocol, address: string, port: number): Promise<GuestProcess>;
  talk(talk: Talk): Promise<TalkResult>;
  /** The same, going on while the test does something else; resolves when the first message is on its way. */
  startTalk(talk: Talk): Promise<RunningTalk>;
  /** Asks a DNS server for an A (or AAAA) record; gives the addresses, rejects when no answer comes. */
  resolveDns(place: Place, server: string, name: string, options?: DnsOptions): Promise<readonly string[]>;
}

export interface DnsOptions {
  readonly protocol?: 'udp' | 'tcp';
  readonly type?: 'A' | 'AAAA';
  /** Each waits a second for its answer; 3 when absent. */
  readonly tries?: number;
}

const PYTHON = ['/usr/bin/python3', '-IS'];
const TRAFFIC = join(import.meta.dirname, 'traffic.py');
const DNS_QUERY = join(import.meta.dirname, 'dns-query.py');

export function traffic(places: Places): Traffic {
  const startTalk: Traffic['startTalk'] = async (talk) => {
    const {
      from,
      sourcePort = 0,
      count = 10,
      intervalMs = 10,
      sizeBytes = 64,
      lingerMs = 2000,
      ...rest
    } = talk;
    const job = { ...rest, sourcePort, count, intervalMs, size: sizeBytes, lingerMs };
    const run = places.spawn(from, [...PYTHON, TRAFFIC, 'talk', JSON.stringify(job)]);
    const result = run.wait().then(({ stdout, stderr }) => {
      const line = stdout.split('\n').find((text) => text.startsWith('{'));
      if (line === undefined) throw new Error(`traffic.py in ${from}: ${stderr}`);
      return JSON.parse(line) as TalkResult;
    });
    result.catch(() => undefined);
    await run.waitFor(/connected|\{/, lingerMs + 20_000);
    return { result, stop: () => run.kill('SIGKILL') };
  };
  return {
    startTalk,
    talk: async (talk) => (await startTalk(talk)).result,
    serveEcho: async (place, protocol, address, port) => {
      const server = places.spawn(place, [...PYTHON, TRAFFIC, 'serve', protocol, address, String(port)]);
      await server.waitFor(/listening/);
      return server;
    },
    serveDns: async (place, address, names) => {
      const records = Object.entries(names).map(
        ([name, found]) => `--host-record=${name},${found.join(',')}`,
      );
      const options = ['--no-resolv', '--no-hosts', '--bind-interfaces', '--log-facility=-', '--user=root'];
      const server = places.spawn(place, [
        ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--pid-file'],
        ...[...options, `--listen-address=${address}`, ...records],
      ]);
      await server.waitFor(/started/);
      return server;
    },
    resolveDns: async (place, server, name, { protocol = 'udp', type = 'A', tries = 3 } = {}) => {
      const argv = [...PYTHON, DNS_QUERY, protocol, server, type, name, String(tries)];
      return (await places.run(place, argv)).split('\n').filter((line) => line !== '');
    },
  };
}
