import { expect } from 'chai';
import type { GuardRows } from '../../../app/domain/host-config.ts';
import type { Address, Prefix } from '../../../app/domain/ip.ts';
import {
  diffElements,
  endpointKey,
  guardElements,
  poolsOverlap,
  type Element,
} from '../../../app/guard/rows.ts';

const EMPTY: GuardRows = { endpoints: [], clusterIps: [], pools: [] };
const endpoint = (address: string, port = 53, holds = {}): GuardRows['endpoints'][number] => ({
  address: address as Address,
  protocol: 'udp',
  port,
  holdEgress: false,
  holdIngress: false,
  ...holds,
});

describe('guardElements', () => {
  it('counts every endpoint and holds those that hold either way, each family in its own sets', () => {
    const elements = guardElements({
      endpoints: [
        endpoint('172.16.166.178'),
        endpoint('172.16.166.179', 53, { holdEgress: true }),
        endpoint('fd00::1', 9153, { holdIngress: true }),
      ],
      clusterIps: [
        { address: '10.96.0.10' as Address, protocol: 'tcp', port: 53 },
        { address: 'fd00:96::a' as Address, protocol: 'sctp', port: 7 },
      ],
      pools: ['172.16.0.0/16', 'fd00::/64'] as Prefix[],
    });
    expect(elements).to.deep.equal({
      pools4: ['172.16.0.0/16'],
      pools6: ['fd00::/64'],
      endpoints4: ['172.16.166.178 . 17 . 53', '172.16.166.179 . 17 . 53'],
      endpoints6: ['fd00::1 . 17 . 9153'],
      holding4: ['172.16.166.179 . 17 . 53'],
      holding6: ['fd00::1 . 17 . 9153'],
      cluster_ips4: ['10.96.0.10 . 6 . 53'],
      cluster_ips6: ['fd00:96::a . 132 . 7'],
    });
  });

  it('does not depend on the order of rows and has each element once', () => {
    const [a, b] = [endpoint('172.16.0.1'), endpoint('172.16.0.2')];
    expect(guardElements({ ...EMPTY, endpoints: [b, a, b] })).to.deep.equal(
      guardElements({ ...EMPTY, endpoints: [a, b] }),
    );
  });

  it('has no pool within another one, and single addresses without a length', () => {
    const pools = ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.3/32', '11.0.0.1/32', 'fd00::7/128'] as Prefix[];
    expect(guardElements({ ...EMPTY, pools })).to.deep.include({
      pools4: ['10.0.0.0/8', '11.0.0.1'],
      pools6: ['fd00::7'],
    });
  });
});

describe('diffElements', () => {
  for (const { name, from, to, added, removed } of [
    { name: 'nothing', from: [1, 2], to: [2, 1], added: [], removed: [] },
    { name: 'one more', from: [1], to: [1, 2], added: [2], removed: [] },
    { name: 'one less', from: [1, 2], to: [1], added: [], removed: [2] },
    { name: 'one for another', from: [1, 2], to: [2, 3], added: [3], removed: [1] },
  ])
    it(name, () => {
      const elements = (ports: number[]): ReturnType<typeof guardElements> =>
        guardElements({ ...EMPTY, endpoints: ports.map((port) => endpoint('10.0.0.1', port)) });
      expect(diffElements(elements(to), elements(from))).to.deep.equal({
        added: elements(added),
        removed: elements(removed),
      });
    });
});

describe('poolsOverlap', () => {
  for (const [a, b, overlap] of [
    ['10.0.0.0/8', '10.1.0.0/16', true],
    ['10.0.0.1', '10.0.0.0/8', true],
    ['10.0.0.0/17', '10.0.128.0/17', false],
    ['10.0.0.1', '10.0.0.2', false],
    ['10.0.0.0/8', 'fd00::/8', false],
  ] as const)
    it(`${a} and ${b}: ${overlap}`, () => {
      expect(poolsOverlap(a as string as Element, b as string as Element)).to.equal(overlap);
      expect(poolsOverlap(b as string as Element, a as string as Element)).to.equal(overlap);
    });
});

describe('endpointKey', () => {
  it('names an endpoint as policies write ports', () => {
    expect(endpointKey(endpoint('fd00::1', 53))).to.equal('fd00::1 udp/53');
  });
});
