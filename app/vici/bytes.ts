// A buffer that grows while a frame is written into it, so that a frame of 400 KB is copied a few times and not
// once per element. Knows nothing of what the bytes mean.

/** Collects bytes; `bytes()` gives what was written so far. */
export class ByteWriter {
  /** A connection of six children has 3 KB. */
  #buffer = Buffer.allocUnsafe(4096);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  uint16(value: number): void {
    this.#reserve(2);
    this.#length = this.#buffer.writeUInt16BE(value, this.#length);
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32BE(value, this.#length);
  }

  /** UTF-8, without a length or an end. */
  text(value: string): void {
    this.#reserve(value.length * 3);
    this.#length += this.#buffer.write(value, this.#length);
  }

  /** Overwrites four bytes that were written before: a length that is known only at the end. */
  setUint32(at: number, value: number): void {
    this.#buffer.writeUInt32BE(value, at);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
