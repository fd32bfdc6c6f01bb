// Round trips of ports.ts, and that no other text is taken for a port.
import { expect } from 'chai';
import fc from 'fast-check';
import {
  comparePorts,
  formatPort,
  parsePort,
  parseServicePorts,
  PROTOCOLS,
  uniquePorts,
} from '../../app/domain/ports.ts';

const somePort = fc.record({
  protocol: fc.constantFrom(...PROTOCOLS),
  port: fc.integer({ min: 1, max: 65535 }),
});

describe('ports, for any ports and texts', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(somePort, (port) => {
        expect(parsePort(formatPort(port))).to.deep.equal(port);
      }),
    );
  });

  it('reads a list in any order, with repeats, as the same sorted ports', () => {
    fc.assert(
      fc.property(fc.array(somePort, { minLength: 1, maxLength: 20 }), (ports) => {
        const expected = { ports: uniquePorts(ports) };
        const text = ports.map(formatPort);
        expect(parseServicePorts(text.join(','))).to.deep.equal(expected);
        expect(parseServicePorts([...text, ...text].reverse().join(','))).to.deep.equal(expected);
        expect(expected.ports.toSorted(comparePorts)).to.deep.equal(expected.ports);
      }),
    );
  });

  it('takes a text for a port only when that is how it writes it', () => {
    const likely = fc
      .tuple(
        fc.constantFrom('tcp', 'udp', 'sctp', 'TCP', 'icmp', ''),
        fc.constantFrom('/', ':', ''),
        fc.integer(),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(fc.string(), likely), (text) => {
        const port = parsePort(text);
        if (port !== undefined) expect(formatPort(port)).to.equal(text);
      }),
      { numRuns: 500 },
    );
  });

  it('quotes at most 40 characters of a wrong list', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 10_000 }), (text) => {
        const parsed = parseServicePorts(text);
        if ('error' in parsed) expect(parsed.error.length).to.be.below(200);
      }),
    );
  });
});
