// One client of the fake charon: its packets are worked on strictly in order, what it is sent may be cut in pieces.
import type { Socket } from 'node:net';
import { ViciProtocolError } from '../../app/vici/errors.ts';
import { encodeFrame, FrameReader } from '../../app/vici/framing.ts';
import { decodePacket } from '../../app/vici/packet.ts';
import type { Packet } from '../../app/vici/packet.ts';

export interface FakeClientOptions {
  readonly pieceBytes?: number;
  readonly onArrival: (command: string) => void;
  readonly isHeld: (command: string) => boolean;
  readonly answer: (packet: Packet) => Packet;
  readonly onClose: () => void;
}

/** Opened by a connection, closed by either side. */
export class FakeClient {
  /** Events, as often as they were registered: charon sends one for each. */
  readonly registered: string[] = [];
  readonly #socket: Socket;
  readonly #options: FakeClientOptions;
  readonly #waiting: Packet[] = [];
  readonly #pieces: Buffer[] = [];

  constructor(socket: Socket, options: FakeClientOptions) {
    this.#socket = socket;
    this.#options = options;
    const frames = new FrameReader((frame) => this.#arrive(decodePacket(frame)));
    socket.on('data', (chunk: Buffer) => frames.push(chunk));
    // A client that closes while it is written to is nothing unusual.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#pieces.length = 0;
      options.onClose();
    });
  }

  /** Works on what waits, up to the first held command. */
  work(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.kind === 'request' && this.#options.isHeld(next.name)) return;
      this.#waiting.shift();
      this.send(this.#options.answer(next));
    }
  }

  isWaiting(command: string): boolean {
    return this.#waiting.some((packet) => packet.kind === 'request' && packet.name === command);
  }

  /** charon drops what is larger than a frame may be, and says so only in its log. */
  send(packet: Packet): void {
    let frame: Buffer;
    try {
      frame = encodeFrame(packet);
    } catch (error) {
      if (error instanceof ViciProtocolError) return;
      throw error;
    }
    this.sendBytes(frame);
  }

  sendBytes(bytes: Buffer): void {
    const size = this.#options.pieceBytes;
    if (size === undefined) {
      this.#socket.write(bytes);
      return;
    }
    const isIdle = this.#pieces.length === 0;
    for (let at = 0; at < bytes.length; at += size) this.#pieces.push(bytes.subarray(at, at + size));
    if (isIdle) this.#sendPiece();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #arrive(packet: Packet): void {
    this.#waiting.push(packet);
    this.work();
    if (packet.kind === 'request') this.#options.onArrival(packet.name);
  }

  /** One piece a turn of the event loop, so that the other side reads it before the next is there. */
  #sendPiece(): void {
    const piece = this.#pieces[0];
    if (piece === undefined) return;
    this.#socket.write(piece, () =>
      setImmediate(() => {
        this.#pieces.shift();
        this.#sendPiece();
      }),
    );
  }
}
