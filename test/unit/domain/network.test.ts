// What IPsecNetwork says.
import { expect } from 'chai';
import { DEFAULT_PARAMETERS } from '../../../app/domain/facts.ts';
import { networkSpec } from '../../../app/domain/network.ts';
import { prefix } from '../../support/world-builders.ts';

describe('networkSpec', () => {
  it('sorts the pools, each once, and passes on what was set', () => {
    const pools = ['fd00::/64', '172.16.0.0/16', '10.0.0.0/8', '172.16.0.0/16'].map(prefix);
    expect(networkSpec({ parameters: DEFAULT_PARAMETERS, guardMode: 'observe' }, pools)).to.deep.equal({
      pools: ['10.0.0.0/8', '172.16.0.0/16', 'fd00::/64'],
      parameters: DEFAULT_PARAMETERS,
      guardMode: 'observe',
    });
  });
});
