import { expect } from 'chai';
import { heldPackets } from '../../../app/agent/held-packets.ts';
import { CONTROLLER_0, seedFacts } from '../../support/facts-builders.ts';

const HERE = '172.16.192.115 udp/53';
const THERE = '172.16.166.178 udp/53';
const CLUSTER_IP = '10.96.0.10 tcp/53';

describe('heldPackets', () => {
  it('sums by service and direction, over tables that begin anew', () => {
    const held = heldPackets();
    held.seen(new Map([[HERE, 100]]));
    held.seen(
      new Map([
        [HERE, 103],
        [THERE, 2],
        [CLUSTER_IP, 5],
      ]),
    );
    held.seen(
      new Map([
        [HERE, 1],
        [THERE, 2],
      ]),
    );
    const dns = held
      .totals(seedFacts(), CONTROLLER_0)
      ?.filter(({ service }) => service === 'kube-system/kube-dns');
    expect(dns).to.have.deep.members([
      { service: 'kube-system/kube-dns', direction: 'ingress', packets: 4 },
      { service: 'kube-system/kube-dns', direction: 'egress', packets: 7 },
    ]);
  });

  it('shows 0 for a protected service of which nothing was held', () => {
    const held = heldPackets();
    held.seen(new Map());
    const packets = held.totals(seedFacts(), CONTROLLER_0)?.map((each) => each.packets) ?? [];
    expect(packets).to.have.length.above(2);
    expect(new Set(packets)).to.deep.equal(new Set([0]));
  });

  it('shows nothing while it cannot be read, and the sum afterwards', () => {
    const held = heldPackets();
    expect(held.totals(seedFacts(), CONTROLLER_0)).to.equal(undefined);
    held.seen(new Map());
    held.seen(new Map([[THERE, 2]]));
    held.seen(undefined);
    expect(held.totals(seedFacts(), CONTROLLER_0)).to.equal(undefined);
    held.seen(new Map([[THERE, 3]]));
    const sums = held.totals(seedFacts(), CONTROLLER_0)?.filter(({ packets }) => packets > 0);
    expect(sums?.map(({ packets }) => packets)).to.deep.equal([3]);
  });
});
