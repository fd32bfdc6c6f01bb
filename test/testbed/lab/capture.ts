// What went over the wire between the hosts: a capture on the cluster-host bridge, which every frame crosses once,
// sorted into pod traffic in plaintext, ESP and IKE.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contains, parseAddress, parsePrefix, type Prefix } from '../../../app/domain/ip.ts';
import { readPcap, type Packet } from './pcap.ts';
import type { Places } from './places.ts';
import { GUEST_CLUSTER_ADDRESS, POD_POOLS } from './topology.ts';

export interface Wire {
  readonly packets: readonly Packet[];
  /** Packets from or to an address of the pod pools that are not in ESP, errors that quote such packets included. */
  readonly plaintext: readonly Packet[];
  readonly esp: readonly Packet[];
  readonly ike: readonly Packet[];
  /** ESP packets by SPI, eight hexadecimal digits as swanctl prints it. */
  readonly espBySpi: ReadonlyMap<string, number>;
  /** When `mark` was called, in the capture's time: what was sent before a call has an earlier one. */
  readonly marks: readonly number[];
}

export interface Capture {
  /** Resolves when the moment is in the capture. */
  mark(): Promise<void>;
  /** Everything that was sent before the call is in the result. */
  stop(): Promise<Wire>;
}

/** Resolves when the capture runs. A capture that lost frames rejects at `stop`. */
export async function startCapture(places: Places, dir: string, number: number): Promise<Capture> {
  const inGuest = `/run/capture-${number}.pcap`;
  const file = join(dir, `capture-${number}.pcap`);
  const tcpdump = places.spawn('guest', [
    ...['tcpdump', '-i', 'br-cluster', '-n', '-B', '16384', '--immediate-mode', '-U', '-s', '192'],
    ...['-w', inGuest, 'ip or ip6'],
  ]);
  await tcpdump.waitFor(/listening on/);
  const send = async (text: string): Promise<void> => {
    await places.run('controller-0', ['bash', '-c', `echo ${text} > /dev/udp/${GUEST_CLUSTER_ADDRESS}/9`]);
  };
  return {
    mark: () => send(MARK),
    stop: async () => {
      // tcpdump forgets what is in its ring when it ends: send a mark last and wait until it is in the file.
      const mark = `end-of-capture-${number}-${process.pid}`;
      await send(mark);
      await places.run('guest', ['bash', '-c', `until grep -aq ${mark} ${inGuest}; do sleep 0.05; done`]);
      tcpdump.kill('SIGINT');
      const { stderr } = await tcpdump.wait();
      if (!/\b0 packets dropped by kernel/.test(stderr))
        throw new Error(`the capture lost frames: ${stderr}`);
      await places.run('guest', ['mv', inGuest, file]);
      return sortWire(readPcap(readFileSync(file)));
    },
  };
}

const MARK = 'a-moment-of-the-test';

const POOLS = POD_POOLS.map((pool) => parsePrefix(pool)).filter((pool) => pool !== undefined);

/** Packets to the guest itself are ours: marks. */
export function sortWire(all: readonly Packet[]): Wire {
  const toGuest = ({ destination }: Packet): boolean => destination === GUEST_CLUSTER_ADDRESS;
  const packets = all.filter((packet) => !toGuest(packet));
  const isIke = (packet: Packet): boolean =>
    packet.destinationPort === 500 || (packet.destinationPort === 4500 && espSpi(packet) === undefined);
  const esp = packets.filter((packet) => espSpi(packet) !== undefined);
  const espBySpi = new Map<string, number>();
  for (const packet of esp) {
    const spi = espSpi(packet) ?? '';
    espBySpi.set(spi, (espBySpi.get(spi) ?? 0) + 1);
  }
  return {
    packets,
    plaintext: packets.filter((packet) => inPools(packet.source) || inPools(packet.destination)),
    esp,
    ike: packets.filter((packet) => packet.protocol === 17 && isIke(packet)),
    espBySpi,
    marks: all.filter((packet) => toGuest(packet) && packet.payload.includes(MARK)).map(({ time }) => time),
  };
}

/** Of ESP, bare or in UDP 4500, where four zero bytes mean IKE and a single byte 0xff keeps a NAT open (RFC 3948). */
function espSpi({ protocol, destinationPort, sourcePort, payload }: Packet): string | undefined {
  if (protocol === 50) return payload.subarray(0, 4).toString('hex');
  if (protocol !== 17 || (destinationPort !== 4500 && sourcePort !== 4500) || payload.length < 16)
    return undefined;
  const marker = payload.subarray(8, 12).toString('hex');
  return marker === '00000000' ? undefined : marker;
}

function inPools(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && POOLS.some((pool: Prefix) => contains(pool, address));
}
