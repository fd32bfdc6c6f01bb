import { expect } from 'chai';
import {
  agrees,
  charonSelector,
  formatSelector,
  parseCharonSelector,
  parseSelector,
  readSelector,
} from '../../../app/swanctl/selector-text.ts';

describe('parseSelector', () => {
  for (const text of [
    '172.16.192.64/26[udp]',
    '172.16.166.178/32[udp/53]',
    'fd00::40/122[sctp]',
    '::/0[tcp/65535]',
  ])
    it(`reads ${text} and formats it as it was`, () => {
      const selector = parseSelector(text);
      expect(selector && formatSelector(selector)).to.equal(text);
    });

  for (const text of [
    '172.16.166.178/32[udp/domain]',
    '172.16.166.178/32[17/53]',
    '172.16.166.178/32[udp/0]',
    '172.16.166.178/32[udp/65536]',
    '172.16.166.178/32[udp/053]',
    '172.16.166.178/32[icmp]',
    '172.16.166.178/32',
    '172.16.166.178[udp]',
    '172.16.166.178/26[udp]',
    '172.16.166.178/32[udp/53], 0.0.0.0/0[udp]',
    'FD00::/64[udp]',
    'dynamic[udp/53]',
    '',
  ])
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseSelector(text)).to.equal(undefined);
    });
});

describe('charonSelector', () => {
  for (const [text, forCharon] of [
    ['172.16.192.64/26[udp]', '172.16.192.64/26[17]'],
    ['172.16.166.178/32[tcp/6]', '172.16.166.178/32[6/6]'],
    ['fd00::40/122[sctp/36412]', 'fd00::40/122[132/36412]'],
  ] as const)
    it(`writes ${text} without a name, and it is read back`, () => {
      const selector = parseSelector(text)!;
      expect(charonSelector(selector)).to.equal(forCharon);
      expect(parseCharonSelector(forCharon)).to.deep.equal(selector);
    });

  for (const text of [
    '172.16.166.178/32[udp/53]',
    '172.16.166.178/32[17/domain]',
    '172.16.166.178/32[1/53]',
    '172.16.166.178/32[60/53]',
    '172.16.166.178/32[17/0]',
    '172.16.166.178/32',
    'dynamic[17/53]',
    '',
  ])
    it(`is the only writing that is read: not ${JSON.stringify(text)}`, () => {
      expect(parseCharonSelector(text)).to.equal(undefined);
    });
});

describe('readSelector', () => {
  for (const protocol of ['udp', 'tcp', '132', 'ipv6-icmp'])
    it(`reads prefix and port, whatever the protocol is printed as: ${protocol}`, () => {
      const prefix = '172.16.192.64/26';
      expect(readSelector(`${prefix}[${protocol}/9]`)).to.deep.equal({ prefix, port: 9 });
    });
  for (const text of ['dynamic', '10.0.0.1..10.0.0.9[udp]', '10.0.0.0/8'])
    it(`does not know ${text}`, () => {
      expect(readSelector(text)).to.equal(undefined);
    });
});

describe('agrees', () => {
  const cases = [
    { name: 'the same number', printed: '172.16.166.178/32[udp/53]', expect: true },
    { name: 'the name of a service', printed: '172.16.166.178/32[udp/domain]', expect: true },
    { name: 'another number', printed: '172.16.166.178/32[udp/54]', expect: false },
    { name: 'no port', printed: '172.16.166.178/32[udp]', expect: false },
    {
      name: 'another protocol, which charon may misprint',
      printed: '172.16.166.178/32[tcp/domain]',
      expect: true,
    },
    { name: 'another prefix', printed: '172.16.166.179/32[udp/53]', expect: false },
    { name: 'a print we do not know', printed: 'dynamic[udp/53]', expect: false },
  ];
  for (const { name, printed, expect: expected } of cases)
    it(`${expected ? 'takes' : 'refuses'} ${name}`, () => {
      const selector = parseSelector('172.16.166.178/32[udp/53]');
      expect(selector && agrees(selector, printed)).to.equal(expected);
    });
  it('refuses a named port where all ports are meant', () => {
    const selector = parseSelector('172.16.192.64/26[udp]');
    expect(selector && agrees(selector, '172.16.192.64/26[udp/domain]')).to.equal(false);
  });
});
