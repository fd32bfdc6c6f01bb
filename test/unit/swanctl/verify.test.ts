import { expect } from 'chai';
import { childKey } from '../../../app/swanctl/loaded.ts';
import { verify } from '../../../app/swanctl/verify.ts';
import { BORROWED, config, DNS_EGRESS, DNS_INGRESS, local, peer } from '../../support/host-configs.ts';
import { childSa, ikeSa, loaded } from '../../support/loaded-builders.ts';

const NAME = 'k8s-node-controller-1';
const DESIRED = config(peer('controller-1', [DNS_EGRESS]));
const SA = childSa('udp_kube-dns_egress', 11, '172.16.192.64/26[udp]', '172.16.166.178/32[udp/domain]');

describe('verify', () => {
  it('finds traps, pass policies and children without a trap in force', () => {
    const desired = config(
      peer('controller-1', [DNS_EGRESS, { ...DNS_INGRESS, startAction: 'none' }]),
      local([BORROWED]),
    );
    const { inForce, missing } = verify(desired, loaded(desired));
    expect([...inForce].sort()).to.deep.equal([
      'k8s-node-controller-1/udp_kube-dns_egress',
      'k8s-node-controller-1/udp_kube-dns_ingress',
      'k8s-node-local/udp_kube-dns_ingress',
    ]);
    expect(missing).to.deep.equal([]);
  });

  it('misses a child that is not loaded, whatever SA is left of it', () => {
    const { missing } = verify(DESIRED, loaded(config(), ikeSa(NAME, 1, { children: [SA] })));
    expect(missing).to.deep.equal([{ connection: NAME, child: 'udp_kube-dns_egress', reason: 'not-loaded' }]);
  });

  it('misses a trap, unless an installed SA stands in for it', () => {
    const trapless = { ...loaded(DESIRED), traps: new Set<string>() };
    expect(verify(DESIRED, trapless).missing).to.have.nested.property('[0].reason', 'no-trap');
    for (const [state, count] of [
      ['INSTALLED', 1],
      ['REKEYING', 1],
      ['CREATED', 0],
      ['DELETING', 0],
    ] as const) {
      const ikeSas = [ikeSa(NAME, 1, { children: [{ ...SA, state }] })];
      expect(verify(DESIRED, { ...trapless, ikeSas }).inForce.size, state).to.equal(count);
    }
  });

  it('misses a child that is loaded for another flow or in another mode', () => {
    const others = [
      { ...DNS_EGRESS, remoteTs: { ...DNS_EGRESS.remoteTs, port: 54 } },
      { ...DNS_EGRESS, localTs: DNS_INGRESS.remoteTs },
      { ...DNS_EGRESS, mode: 'pass' as const },
    ];
    for (const other of others) {
      const { missing, inForce } = verify(DESIRED, loaded(config(peer('controller-1', [other]))));
      expect(missing).to.have.nested.property('[0].reason', 'other-selectors');
      expect(inForce.has(childKey(NAME, 'udp_kube-dns_egress'))).to.equal(false);
    }
  });
});
