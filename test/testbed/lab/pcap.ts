// Reads a capture file (libpcap format, Ethernet frames) into packets: addresses, protocol, ports. What is plaintext
// and what is not is capture.ts's judgement.

export interface Packet {
  /** Seconds since the epoch. */
  readonly time: number;
  readonly sourceMac: string;
  readonly source: string;
  readonly destination: string;
  /** IP protocol number. */
  readonly protocol: number;
  /** Absent where the protocol has none and in fragments after the first. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** What follows the IP header, as far as it was captured. */
  readonly payload: Buffer;
}

const WITH_PORTS = new Set([6, 17, 132]);

/** IPv4 and IPv6 packets in order of capture; frames of other kinds are left out. */
export function readPcap(file: Buffer): readonly Packet[] {
  if (file.length < 24 || file.readUInt32LE(0) !== 0xa1b2c3d4 || file.readUInt32LE(20) !== 1)
    throw new Error('not a little-endian pcap file with Ethernet frames');
  const packets: Packet[] = [];
  for (let at = 24; at + 16 <= file.length;) {
    const time = file.readUInt32LE(at) + file.readUInt32LE(at + 4) / 1e6;
    const length = file.readUInt32LE(at + 8);
    const packet = readFrame(file.subarray(at + 16, at + 16 + length), time);
    if (packet !== undefined) packets.push(packet);
    at += 16 + length;
  }
  return packets;
}

function readFrame(frame: Buffer, time: number): Packet | undefined {
  if (frame.length < 34) return undefined;
  const sourceMac = [...frame.subarray(6, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  const type = frame.readUInt16BE(12);
  if (type === 0x0800) return { time, sourceMac, ...readIpv4(frame.subarray(14)) };
  if (type === 0x86dd && frame.length >= 54) return { time, sourceMac, ...readIpv6(frame.subarray(14)) };
  return undefined;
}

/** What an ICMP error is about: the packet that it quotes, as far as it does. Undefined for anything else. */
export function quotedBy({ protocol, payload }: Packet): Omit<Packet, 'time' | 'sourceMac'> | undefined {
  const type = payload.length > 28 ? payload.readUInt8(0) : undefined;
  if (type === undefined) return undefined;
  if (protocol === 1 && [3, 4, 5, 11, 12].includes(type)) return readIpv4(payload.subarray(8));
  if (protocol === 58 && [1, 2, 3, 4].includes(type) && payload.length >= 48)
    return readIpv6(payload.subarray(8));
  return undefined;
}

type IpPart = Omit<Packet, 'time' | 'sourceMac'>;

function readIpv4(ip: Buffer): IpPart {
  const payload = ip.subarray((ip.readUInt8(0) & 15) * 4);
  const protocol = ip.readUInt8(9);
  const firstFragment = (ip.readUInt16BE(6) & 0x1fff) === 0;
  const source = [...ip.subarray(12, 16)].join('.');
  const destination = [...ip.subarray(16, 20)].join('.');
  return { source, destination, protocol, payload, ...(firstFragment && ports(protocol, payload)) };
}

function readIpv6(ip: Buffer): IpPart {
  let protocol = ip.readUInt8(6);
  let payload = ip.subarray(40);
  let firstFragment = true;
  // Only the fragment header matters here; no other extension header occurs in the lab.
  if (protocol === 44 && payload.length >= 8) {
    protocol = payload.readUInt8(0);
    firstFragment = payload.readUInt16BE(2) >> 3 === 0;
    payload = payload.subarray(8);
  }
  const source = ipv6Text(ip.subarray(8, 24));
  const destination = ipv6Text(ip.subarray(24, 40));
  return { source, destination, protocol, payload, ...(firstFragment && ports(protocol, payload)) };
}

function ports(protocol: number, payload: Buffer): Pick<Packet, 'sourcePort' | 'destinationPort'> {
  if (!WITH_PORTS.has(protocol) || payload.length < 4) return {};
  return { sourcePort: payload.readUInt16BE(0), destinationPort: payload.readUInt16BE(2) };
}

/** RFC 5952: the longest run of zero groups shortened. */
function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':');
  const runs = groups.match(/\b0(:0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return groups;
  return groups.replace(new RegExp(`(^|:)${longest}(:|$)`), '::');
}
