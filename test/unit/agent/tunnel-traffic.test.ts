import { expect } from 'chai';
import { tunnelTraffic, type TunnelTraffic } from '../../../app/agent/tunnel-traffic.ts';
import type { ChildSa, Loaded } from '../../../app/swanctl/loaded.ts';
import { childSa, ikeSa } from '../../support/loaded-builders.ts';

const CONNECTION = 'k8s-node-worker-0';
const INDEX = new Map([
  [`${CONNECTION}/dns`, 'kube-system/kube-dns'],
  [`${CONNECTION}/web`, 'ns/web'],
]);

const sa = (uniqueId: number, bytes: number, name = 'dns', state = 'INSTALLED'): ChildSa => ({
  ...childSa(name, uniqueId, '172.16.0.0/26', '172.16.0.64/32'),
  state,
  bytesIn: bytes,
  bytesOut: 2 * bytes,
  packetsIn: bytes / 10,
  packetsOut: bytes / 5,
});
const having = (...children: readonly ChildSa[]): Loaded => ({
  connections: new Map(),
  traps: new Set(),
  ikeSas: [
    { ...ikeSa(CONNECTION, 1), children },
    { ...ikeSa('system-nodes', 2), children: [sa(99, 7000)] },
  ],
});

describe('tunnelTraffic', () => {
  let traffic: TunnelTraffic;
  let asked: number;
  const see = (...children: readonly ChildSa[]): void =>
    traffic.seen(having(...children), () => {
      asked += 1;
      return INDEX;
    });
  const bytesIn = (service = 'kube-system/kube-dns'): number | undefined =>
    traffic.totals().get(service)?.bytesIn;
  beforeEach(() => {
    traffic = tunnelTraffic();
    asked = 0;
  });

  it('adds up what SAs carry from the first look on, the platform’s not among them', () => {
    see(sa(1, 1000));
    expect(bytesIn()).to.equal(0);
    see(sa(1, 1500), sa(2, 30, 'web'));
    expect(traffic.totals().get('kube-system/kube-dns')).to.deep.equal({
      bytesIn: 500,
      bytesOut: 1000,
      packetsIn: 50,
      packetsOut: 100,
    });
    expect([bytesIn('ns/web'), traffic.totals().size]).to.deep.equal([30, 2]);
  });

  it('never falls when an SA is rekeyed, ends, or charon begins anew with the same ids', () => {
    see();
    see(sa(1, 1000));
    see(sa(1, 1100, 'dns', 'REKEYED'), sa(2, 50));
    expect(bytesIn()).to.equal(1150);
    see(sa(2, 60));
    see();
    expect(bytesIn()).to.equal(1160);
    traffic.restarted();
    see(sa(1, 200));
    expect(bytesIn()).to.equal(1360);
  });

  it('looks services up only when there is an SA that was not there', () => {
    see(sa(1, 10));
    see(sa(1, 20));
    expect(asked).to.equal(1);
    see(sa(1, 20), sa(2, 0));
    expect(asked).to.equal(2);
  });

  it('keeps an SA with its service when that is not protected any more, and then forgets it', () => {
    see();
    see(sa(1, 10));
    traffic.keep(new Set(['ns/web']));
    expect([...traffic.totals().keys()].sort()).to.deep.equal(['kube-system/kube-dns', 'ns/web']);
    see();
    traffic.keep(new Set(['ns/web']));
    expect([...traffic.totals()]).to.deep.equal([
      ['ns/web', { bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 }],
    ]);
  });

  it('counts SAs that carry, by service', () => {
    see(sa(1, 0), sa(2, 0, 'dns', 'REKEYED'), sa(3, 0, 'unknown'));
    expect([...traffic.childSas()]).to.deep.equal([
      ['kube-system/kube-dns', 1],
      ['none', 1],
    ]);
    expect(traffic.ikeSas()).to.equal(1);
    see();
    expect(traffic.childSas().get('kube-system/kube-dns')).to.equal(0);
  });
});
