import { expect } from 'chai';
import { contains, hostPrefix, parseAddress, parsePrefix } from '../../../app/domain/ip.ts';
import { address, prefix } from '../../support/facts-builders.ts';

describe('parseAddress', () => {
  for (const { given, expected } of [
    { given: '172.16.166.178', expected: '172.16.166.178' },
    { given: '0.0.0.0', expected: '0.0.0.0' },
    { given: 'FD00:0000:0:0:0:0:0:0001', expected: 'fd00::1' },
    { given: '1:0:0:2:0:0:0:3', expected: '1:0:0:2::3' },
    { given: '1:2:3:4:5:6:7::', expected: '1:2:3:4:5:6:7:0' },
    { given: '::', expected: '::' },
    { given: '::ffff:10.0.0.1', expected: '::ffff:a00:1' },
  ])
    it(`reads ${given} as ${expected}`, () => expect(parseAddress(given)).to.equal(expected));

  const refused = [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '010.8.0.1',
    '1.2.3.4 ',
    '1.2.3.4\n',
    '0x1.2.3.4',
  ].concat([
    '1.2.3.4/32',
    'fe80::1%eth0',
    '1::2::3',
    ':::',
    '12345::',
    'fd00::1/128',
    'example',
    'dead',
    '::ffff:01.2.3.4',
  ]);
  for (const given of refused)
    it(`refuses ${JSON.stringify(given)}`, () => expect(parseAddress(given)).to.equal(undefined));
});

describe('parsePrefix', () => {
  for (const { given, expected } of [
    { given: '172.16.192.64/26', expected: '172.16.192.64/26' },
    { given: '0.0.0.0/0', expected: '0.0.0.0/0' },
    { given: 'FD00:0:0::40/122', expected: 'fd00::40/122' },
    { given: '::/0', expected: '::/0' },
    { given: 'fd00:206::/64', expected: 'fd00:206::/64' },
  ])
    it(`reads ${given} as ${expected}`, () => expect(parsePrefix(given)).to.equal(expected));

  const refused = [
    '10.0.0.1/24',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/',
    '10.0.0.0',
    '10.0.0.0/8/8',
    '/8',
  ].concat([
    'fd00::1/64',
    '::/129',
    '10.0.0.0/-1',
    '10.0.0.0/1e1',
    '10.0.0.0/ 8',
    '172.16.192.65/26',
    'fd00::21/123',
  ]);
  for (const given of refused)
    it(`refuses ${JSON.stringify(given)}`, () => expect(parsePrefix(given)).to.equal(undefined));
});

describe('contains', () => {
  for (const { outer, inside, outside } of [
    { outer: '172.16.192.64/26', inside: '172.16.192.127', outside: '172.16.192.128' },
    { outer: '172.16.192.115/32', inside: '172.16.192.115', outside: '172.16.192.114' },
    { outer: '0.0.0.0/0', inside: '255.255.255.255', outside: '::' },
    { outer: 'fd00::40/122', inside: 'fd00::7f', outside: 'fd00::80' },
    { outer: '::/0', inside: 'ffff::1', outside: '1.2.3.4' },
  ])
    it(`puts ${inside} into ${outer} and leaves ${outside} out`, () => {
      expect(contains(prefix(outer), address(inside))).to.equal(true);
      expect(contains(prefix(outer), address(outside))).to.equal(false);
    });

  it('puts an address alone into its host prefix', () => {
    expect(hostPrefix(address('172.16.192.115'))).to.equal('172.16.192.115/32');
    expect(hostPrefix(address('fd00::1'))).to.equal('fd00::1/128');
  });
});
