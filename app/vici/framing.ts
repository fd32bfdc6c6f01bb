// Packets in a stream of bytes: four bytes of length, most significant first, then as many bytes (strongSwan
// vici/README.md, "Transport protocol"). Where the stream comes from is session.ts.
import { ByteWriter } from './bytes.ts';
import { ViciProtocolError } from './errors.ts';
import { writePacket } from './packet.ts';
import type { Packet } from './packet.ts';

/** VICI_MESSAGE_SIZE_MAX of strongSwan: charon closes the socket above it, and drops its own larger answers unsaid. */
export const MAX_FRAME_BYTES = 512 * 1024;

const HEADER_BYTES = 4;

/** One packet as it goes on the wire. Throws ViciProtocolError when it is larger than charon takes. */
export function encodeFrame(packet: Packet): Buffer {
  const writer = new ByteWriter();
  writer.uint32(0);
  writePacket(writer, packet);
  const size = writer.length - HEADER_BYTES;
  if (size > MAX_FRAME_BYTES) {
    const what = 'name' in packet ? packet.name : packet.kind;
    throw new ViciProtocolError(
      `not sent: ${what} of ${size} bytes, charon takes ${MAX_FRAME_BYTES}`,
      'on-change',
    );
  }
  writer.setUint32(0, size);
  return writer.bytes();
}

/** Finds the frames in chunks that are cut anywhere. Each byte is copied once; at most one frame is held. */
export class FrameReader {
  readonly #onFrame: (frame: Buffer) => void;
  #part = Buffer.allocUnsafe(HEADER_BYTES);
  #filled = 0;
  #isHeader = true;

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** Calls back for each frame that these bytes complete, in order. Throws ViciProtocolError on a length above the limit. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const copied = chunk.copy(this.#part, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#filled === this.#part.length) this.#partComplete();
    }
  }

  #partComplete(): void {
    const part = this.#part;
    if (this.#isHeader) {
      const size = part.readUInt32BE(0);
      if (size > MAX_FRAME_BYTES)
        throw new ViciProtocolError(`a frame of ${size} bytes, at most ${MAX_FRAME_BYTES} are allowed`);
      this.#expect(size, false);
      if (size === 0) this.#partComplete();
    } else {
      this.#expect(HEADER_BYTES, true);
      this.#onFrame(part);
    }
  }

  #expect(size: number, isHeader: boolean): void {
    this.#part = Buffer.allocUnsafe(size);
    this.#filled = 0;
    this.#isHeader = isHeader;
  }
}
