import { expect } from 'chai';
import { priorityOf } from '../../../app/domain/priorities.ts';
import { address, prefix } from '../../support/facts-builders.ts';

function priority(clientPrefix: string, endpoint: string): number {
  return priorityOf({ clientPrefix: prefix(clientPrefix), endpoint: address(endpoint) });
}

describe('priorityOf', () => {
  for (const { client, endpoint, expected } of [
    { client: '172.16.43.5/32', endpoint: '172.16.0.1', expected: 100_000 },
    { client: '172.16.43.5/32', endpoint: '172.16.192.115', expected: 100_001 },
    { client: '172.16.192.64/26', endpoint: '172.16.166.178', expected: 100_012 },
    { client: '172.16.166.128/26', endpoint: '172.16.192.115', expected: 100_013 },
    { client: '0.0.0.0/0', endpoint: '172.16.192.115', expected: 100_065 },
    { client: 'fd00::5/128', endpoint: 'fd00::1', expected: 100_000 },
    { client: 'fd00::40/122', endpoint: 'fd00::80', expected: 100_013 },
    { client: '::/0', endpoint: 'fd00::80', expected: 100_257 },
  ])
    it(`gives ${expected} to ${client} towards ${endpoint}`, () =>
      expect(priority(client, endpoint)).to.equal(expected));

  it('tells two flows that mirror each other apart', () => {
    expect(priority('172.16.0.0/26', '172.16.0.70')).not.to.equal(priority('172.16.0.64/26', '172.16.0.5'));
  });

  it('compares addresses as numbers, not as text', () => {
    expect(priority('172.16.100.0/26', '172.16.43.5')).to.equal(100_012);
  });

  it('stays before the platform’s pass policies at its greatest', () => {
    expect(priority('::/0', 'fd00::80')).to.be.below(199_679);
  });
});
