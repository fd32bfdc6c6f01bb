import { expect } from 'chai';
import { formatPort, parseServicePorts } from '../../../app/domain/ports.ts';

describe('parseServicePorts', () => {
  for (const { given, expected } of [
    { given: 'udp/53,tcp/53,tcp/9153', expected: 'tcp/53,tcp/9153,udp/53' },
    { given: 'tcp/9402', expected: 'tcp/9402' },
    { given: 'tcp/65535,tcp/1', expected: 'tcp/1,tcp/65535' },
    { given: 'sctp/3868,tcp/3868', expected: 'tcp/3868,sctp/3868' },
    { given: 'udp/53,udp/53', expected: 'udp/53' },
  ])
    it(`reads ${given}`, () => {
      const parsed = parseServicePorts(given);
      expect('ports' in parsed && parsed.ports.map(formatPort).join(',')).to.equal(expected);
    });

  const refused = [
    '',
    'tcp',
    'tcp/',
    '/53',
    'tcp/0',
    'tcp/65536',
    'tcp/53,,udp/53',
    'tcp/53,',
    'TCP/53',
    'icmp/1',
  ].concat([
    'tcp/53, udp/53',
    ' tcp/53',
    'tcp/053',
    'tcp/5 3',
    'tcp/53\n',
    'tcp/1e3',
    'tcp/http',
    'tcp:53',
    'tcp/53;reboot',
  ]);
  for (const given of refused)
    it(`refuses ${JSON.stringify(given)} and says what to write`, () => {
      const parsed = parseServicePorts(given);
      expect('error' in parsed && parsed.error).to.contain('write tcp/53');
    });

  it('names the item that is wrong, shortened', () => {
    const parsed = parseServicePorts(`tcp/53,${'x'.repeat(10_000)}`);
    expect('error' in parsed && parsed.error).to.match(/^"x{40}" is not a port/);
  });
});
