// Whose is an address, which prefixes has a host, and what is said of hosts that cannot be protected.
import { expect } from 'chai';
import { addressOwners, hostFacts } from '../../../app/domain/address-owner.ts';
import { address, block, host, node, prefix, world } from '../../support/world-builders.ts';

describe('addressOwners', () => {
  const ownerOf = addressOwners({
    blocks: [
      block('172.16.192.64/26', 'controller-0', { '172.16.192.70': 'worker-0' }),
      block('172.16.1.0/26', undefined, { '172.16.1.9': 'controller-1' }),
      block('fd00::40/122', 'controller-0'),
    ],
    affinities: [
      { prefix: prefix('172.16.192.64/26'), host: host('controller-1') },
      { prefix: prefix('172.16.43.0/26'), host: host('worker-0') },
    ],
  });
  const cases = [
    { name: 'in a block', given: '172.16.192.64', expect: 'controller-0' },
    { name: 'the last of a block', given: '172.16.192.127', expect: 'controller-0' },
    { name: 'just outside', given: '172.16.192.128', expect: undefined },
    { name: 'borrowed: the host that uses it', given: '172.16.192.70', expect: 'worker-0' },
    { name: 'borrowed from a block of nobody', given: '172.16.1.9', expect: 'controller-1' },
    { name: 'otherwise in a block of nobody', given: '172.16.1.10', expect: undefined },
    { name: 'an affinity without a block', given: '172.16.43.9', expect: 'worker-0' },
    { name: 'an IPv6 block', given: 'fd00::7f', expect: 'controller-0' },
    { name: 'outside of an IPv6 block', given: 'fd00::80', expect: undefined },
    { name: 'IPv6 that looks like IPv4', given: '::ac10:c040', expect: undefined },
  ];
  for (const { name, given, expect: owner } of cases)
    it(name, () => {
      expect(ownerOf(address(given))).to.equal(owner);
    });
});

describe('hostFacts', () => {
  it('gives each host its blocks, hints and borrowed addresses, sorted, each once', () => {
    const { hosts, problems } = hostFacts(
      world({
        nodes: [node('worker-0', { addresses: [address('fd00::66'), address('192.168.206.66')] })],
        blocks: [
          block('fd00:1::/122', 'worker-0'),
          block('172.16.43.64/26', 'worker-0'),
          block('172.16.192.64/26', 'controller-0', { '172.16.192.70': 'worker-0' }),
        ],
        affinities: [
          { prefix: prefix('172.16.43.0/26'), host: host('worker-0') },
          { prefix: prefix('172.16.43.64/26'), host: host('worker-0') },
        ],
      }),
    );
    expect(problems).to.deep.equal([]);
    expect(hosts).to.deep.equal([
      {
        name: 'worker-0',
        addresses: ['192.168.206.66', 'fd00::66'],
        prefixes: ['172.16.43.0/26', '172.16.43.64/26', '172.16.192.70/32', 'fd00:1::/122'],
      },
    ]);
  });

  it('gives a block to the host that the block names, whatever the affinity says', () => {
    const affinities = [{ prefix: prefix('172.16.43.0/26'), host: host('controller-0') }];
    const { hosts } = hostFacts(world({ affinities }));
    expect(hosts.map(({ prefixes }) => prefixes)).to.deep.equal([
      ['172.16.192.64/26'],
      ['172.16.166.128/26'],
      ['172.16.43.0/26'],
    ]);
  });

  const at = [address('192.168.206.9')];
  const problems = [
    {
      name: 'no agent, with pods',
      given: node('worker-0', { addresses: at, agent: false }),
      expect: 'HostWithoutAgent',
    },
    {
      name: 'no agent, no pods',
      given: node('storage-0', { addresses: at, agent: false }),
      expect: undefined,
    },
    { name: 'no address', given: node('worker-0'), expect: 'HostWithoutAddress' },
    { name: 'no block', given: node('worker-1', { addresses: at }), expect: 'HostWithoutPodPrefix' },
  ];
  for (const { name, given, expect: reason } of problems)
    it(`${name}: ${reason ?? 'no problem'}`, () => {
      const found = hostFacts(world({ nodes: [given] }));
      expect(found.problems.map((problem) => problem.reason)).to.deep.equal(
        reason === undefined ? [] : [reason],
      );
      expect(found.hosts.map((fact) => fact.name)).to.deep.equal(
        reason === 'HostWithoutPodPrefix' ? ['worker-1'] : [],
      );
    });
});
