// A VICI packet: what kind of thing is said, about which command or event, with which message (strongSwan
// vici/README.md, "Packet layer"). How packets are told apart in a stream of bytes is framing.ts.
import type { Tree } from '../swanctl/tree.ts';
import { ByteWriter } from './bytes.ts';
import { ViciProtocolError } from './errors.ts';
import { decodeMessage, writeMessage, writeName } from './message.ts';

/** Client to server: request, register, unregister. Server to client: the rest. */
export type Packet =
  | { readonly kind: 'request'; readonly name: string; readonly message: Tree }
  | { readonly kind: 'response'; readonly message: Tree }
  | { readonly kind: 'command-unknown' }
  | { readonly kind: 'register'; readonly name: string }
  | { readonly kind: 'unregister'; readonly name: string }
  | { readonly kind: 'event-confirm' }
  | { readonly kind: 'event-unknown' }
  | { readonly kind: 'event'; readonly name: string; readonly message: Tree };

/** In the order of their numbers, 0 to 7. */
const KINDS = [
  'request',
  'response',
  'command-unknown',
  'register',
  'unregister',
  'event-confirm',
  'event-unknown',
  'event',
] as const satisfies readonly Packet['kind'][];

/** Appends the packet's bytes. Throws ViciProtocolError for what VICI cannot carry. */
export function writePacket(writer: ByteWriter, packet: Packet): void {
  writer.byte(KINDS.indexOf(packet.kind));
  if ('name' in packet) writeName(writer, packet.name);
  if ('message' in packet) writeMessage(writer, packet.message);
}

export function encodePacket(packet: Packet): Buffer {
  const writer = new ByteWriter();
  writePacket(writer, packet);
  return writer.bytes();
}

/** Throws ViciProtocolError for an unknown type, a name or message that is cut off, and bytes where none belong. */
export function decodePacket(bytes: Buffer): Packet {
  const kind = KINDS[bytes[0] ?? -1];
  switch (kind) {
    case 'request':
    case 'event': {
      const { name, rest } = readName(bytes);
      return { kind, name, message: decodeMessage(rest) };
    }
    case 'response':
      return { kind, message: decodeMessage(bytes.subarray(1)) };
    case 'register':
    case 'unregister': {
      const { name, rest } = readName(bytes);
      expectEnd(rest, kind);
      return { kind, name };
    }
    case 'command-unknown':
    case 'event-confirm':
    case 'event-unknown':
      expectEnd(bytes.subarray(1), kind);
      return { kind };
    default:
      throw new ViciProtocolError(
        bytes.length === 0 ? 'a packet without any bytes' : `unknown packet type ${String(bytes[0])}`,
      );
  }
}

function readName(bytes: Buffer): { name: string; rest: Buffer } {
  const end = 2 + (bytes[1] ?? Infinity);
  if (end > bytes.length) throw new ViciProtocolError('a packet ends within its name');
  return { name: bytes.toString('utf8', 2, end), rest: bytes.subarray(end) };
}

function expectEnd(rest: Buffer, kind: string): void {
  if (rest.length > 0) throw new ViciProtocolError(`${rest.length} bytes after a packet of kind ${kind}`);
}
