// Packets and frames: known bytes, streams cut at every byte, hostile lengths and types.
import { expect } from 'chai';
import fc from 'fast-check';
import { ViciProtocolError } from '../../app/vici/errors.ts';
import { encodeFrame, FrameReader, MAX_FRAME_BYTES } from '../../app/vici/framing.ts';
import { decodePacket, encodePacket } from '../../app/vici/packet.ts';
import type { Packet } from '../../app/vici/packet.ts';

const PACKETS: { packet: Packet; bytes: string }[] = [
  { packet: { kind: 'request', name: 'version', message: {} }, bytes: '\x00\x07version' },
  { packet: { kind: 'response', message: { a: 'b' } }, bytes: '\x01\x03\x01a\x00\x01b' },
  { packet: { kind: 'command-unknown' }, bytes: '\x02' },
  { packet: { kind: 'register', name: 'list-sa' }, bytes: '\x03\x07list-sa' },
  { packet: { kind: 'unregister', name: 'list-sa' }, bytes: '\x04\x07list-sa' },
  { packet: { kind: 'event-confirm' }, bytes: '\x05' },
  { packet: { kind: 'event-unknown' }, bytes: '\x06' },
  { packet: { kind: 'event', name: 'log', message: { a: [] } }, bytes: '\x07\x03log\x04\x01a\x06' },
];

describe('encodePacket and decodePacket', () => {
  for (const { packet, bytes } of PACKETS)
    it(`agree on ${packet.kind}`, () => {
      expect(encodePacket(packet).toString('latin1')).to.equal(bytes);
      expect(decodePacket(Buffer.from(bytes, 'latin1'))).to.deep.equal(packet);
    });
});

describe('decodePacket', () => {
  for (const { given, bytes } of [
    { given: 'no bytes', bytes: '' },
    { given: 'type 8', bytes: '\x08' },
    { given: 'type 255', bytes: '\xff' },
    { given: 'an event without a name', bytes: '\x07' },
    { given: 'an event cut within its name', bytes: '\x07\x05log' },
    { given: 'a confirmation with bytes after it', bytes: '\x05\x00' },
    { given: 'a registration with bytes after it', bytes: '\x03\x01a!' },
    { given: 'a response with a broken message', bytes: '\x01\x02' },
  ])
    it(`refuses ${given}`, () => {
      expect(() => decodePacket(Buffer.from(bytes, 'latin1')))
        .to.throw(ViciProtocolError)
        .with.property('retry', 'soon');
    });
});

describe('encodeFrame', () => {
  it('puts the length of the packet before it', () => {
    expect(encodeFrame({ kind: 'register', name: 'abc' }).toString('latin1')).to.equal(
      '\0\0\0\x05\x03\x03abc',
    );
  });

  it('refuses a packet that charon would close the socket for, and allows the largest', () => {
    // type, name's length, name; then LIST_START with a name, and LIST_END.
    const around = 2 + 'load-conn'.length + 3 + 1;
    const item = (size: number): string[] => (size === 0 ? [] : ['v'.repeat(size - 3)]);
    const frame = (size: number): Buffer => {
      const rest = size - around;
      const items = [...Array(Math.floor(rest / 60_000)).keys()].flatMap(() => item(60_000));
      return encodeFrame({
        kind: 'request',
        name: 'load-conn',
        message: { a: [...items, ...item(rest % 60_000)] },
      });
    };
    expect(frame(MAX_FRAME_BYTES).length).to.equal(4 + MAX_FRAME_BYTES);
    expect(() => frame(MAX_FRAME_BYTES + 1))
      .to.throw(ViciProtocolError, /load-conn of 524289 bytes/)
      .with.property('retry', 'on-change');
  });
});

describe('FrameReader', () => {
  const stream = Buffer.concat(PACKETS.map(({ packet }) => encodeFrame(packet)));
  const read = (chunks: readonly Buffer[]): string[] => {
    const frames: string[] = [];
    const reader = new FrameReader((frame) => frames.push(frame.toString('latin1')));
    for (const chunk of chunks) reader.push(chunk);
    return frames;
  };
  const expected = PACKETS.map(({ bytes }) => bytes);

  it('finds all frames in one chunk, and in single bytes', () => {
    expect(read([stream])).to.deep.equal(expected);
    expect(read([...stream].map((byte) => Buffer.from([byte])))).to.deep.equal(expected);
  });

  it('finds all frames wherever the stream is cut in two', () => {
    for (let cut = 0; cut <= stream.length; cut++)
      expect(read([stream.subarray(0, cut), stream.subarray(cut)]), `cut at ${cut}`).to.deep.equal(expected);
  });

  it('finds all frames in any cutting', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 12 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const chunks = edges.slice(1).map((edge, index) => stream.subarray(edges[index], edge));
        expect(read(chunks)).to.deep.equal(expected);
      }),
    );
  });

  it('gives frames of zero bytes, too', () => {
    expect(read([Buffer.from('\0\0\0\0\0\0\0\x01x\0\0\0\0', 'latin1')])).to.deep.equal(['', 'x', '']);
  });

  it('takes a frame of the largest size and refuses one byte more before it comes', () => {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(MAX_FRAME_BYTES);
    expect(read([header, Buffer.alloc(MAX_FRAME_BYTES)])).to.have.length(1);
    header.writeUInt32BE(MAX_FRAME_BYTES + 1);
    expect(() => read([header])).to.throw(ViciProtocolError, /524289/);
    expect(() => read([Buffer.from('ffffffff', 'hex')])).to.throw(ViciProtocolError, /4294967295/);
  });

  it('has given the frames before a hostile one', () => {
    const frames: string[] = [];
    const reader = new FrameReader((frame) => frames.push(frame.toString('latin1')));
    expect(() => reader.push(Buffer.from('\0\0\0\x01x\xff\0\0\0', 'latin1'))).to.throw(ViciProtocolError);
    expect(frames).to.deep.equal(['x']);
  });

  it('copies each byte once, however small the pieces of a large frame', () => {
    const large = Buffer.alloc(4 + MAX_FRAME_BYTES);
    large.writeUInt32BE(MAX_FRAME_BYTES);
    const pieces = [...Array(large.length / 4).keys()].map((index) =>
      large.subarray(index * 4, index * 4 + 4),
    );
    const before = process.cpuUsage();
    expect(read(pieces)).to.have.length(1);
    const { user, system } = process.cpuUsage(before);
    expect(user + system, 'microseconds of processor; quadratic work would copy 34 GB').to.be.below(3e6);
  });
});
