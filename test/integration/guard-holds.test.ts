// The guard against real packets: what it holds, what it lets pass, what it counts, on both hosts and for both families.
// The kernel is this machine's own; the link that stands for IPsec is explained in guard-network.ts.
import { expect } from 'chai';
import type { GuardMode } from '../../app/domain/facts.ts';
import type { GuardRows } from '../../app/domain/host-config.ts';
import type { Address, Prefix } from '../../app/domain/ip.ts';
import { applyGuard, readGuard } from '../../app/guard/guard.ts';
import { planGuard, planTexts } from '../../app/guard/plan-guard.ts';
import type { GuardTable } from '../../app/guard/read-back.ts';
import { endpointKey } from '../../app/guard/rows.ts';
import { guardRuleset } from '../../app/guard/ruleset.ts';
import {
  ANSWERED,
  CLUSTER_IPS,
  PODS,
  POOLS,
  startGuardNetwork,
  type GuardNetwork,
  type HostLetter,
} from './guard-network.ts';

const ruleset = guardRuleset('cali*');
const NOTHING: GuardRows = { endpoints: [], clusterIps: [], pools: [] };

describe('the guard and real packets', function () {
  this.timeout(120_000);
  let network: GuardNetwork;

  before(async () => {
    network = await startGuardNetwork();
    for (const family of [4, 6] as const) {
      for (const port of [53, 5353]) {
        await network.pods.far.listen('udp', family, port);
        await network.pods.near.listen('udp', family, port);
      }
      await network.pods.far.listen('tcp', family, 53);
    }
  });
  after(() => network.close());
  afterEach(async () => {
    for (const host of ['A', 'B'] as const) {
      await guard(host, NOTHING, 'off');
      network.route(host, 'wire');
      network.run(host, 'nft', 'flush', 'ruleset');
    }
  });

  const guard = async (host: HostLetter, rows: GuardRows, mode: GuardMode = 'enforce'): Promise<void> => {
    const actual = await readGuard(network.nft(host), ruleset);
    await applyGuard(network.nft(host), planTexts(planGuard({ mode, rows, ruleset }, actual)));
  };
  const read = async (host: HostLetter): Promise<GuardTable> => {
    const state = await readGuard(network.nft(host), ruleset);
    if (state.kind !== 'present') throw new Error(`the guard is ${state.kind}`);
    return state.table;
  };
  const drops = async (host: HostLetter): Promise<Record<string, number>> =>
    Object.fromEntries(
      Object.entries((await read(host)).counters.drops).filter(([, packets]) => packets > 0),
    );

  for (const family of [4, 6] as const)
    describe(`IPv${family}`, () => {
      const far = { address: PODS.far[family], port: 53 };
      const near = { address: PODS.near[family], port: 5353 };

      it('lets everything pass and counts demand while the endpoint is only counted', async () => {
        await guard('A', rows(family, 'count'));
        await guard('B', rows(family, 'count'));
        const wire = await network.capture();
        expect(await network.pods.near.send({ ...far, count: 7, ...ANSWERED })).to.deep.equal({ packets: 7 });
        expect(await wire.stop(), 'the same capture sees plaintext').to.have.lengthOf(14);
        expect((await read('A')).counters.demand).to.deep.equal(
          new Map([
            [demandKey(family, 'udp'), 7],
            [demandKey(family, 'tcp'), 0],
          ]),
        );
        expect(await drops('A')).to.deep.equal({});
      });

      it("holds requests at the client's host", async () => {
        await guard('A', rows(family, 'egress'));
        const wire = await network.capture();
        expect(await network.pods.near.send({ ...far, count: 5 })).to.deep.equal({ packets: 0 });
        expect(await network.pods.near.connect(far)).to.deep.equal({ packets: 0 });
        expect(await wire.stop()).to.deep.equal([]);
        expect((await drops('A'))['egress']).to.be.greaterThan(5);
        expect(
          (await read('A')).counters.demand.get(demandKey(family, 'udp')),
          'held requests are demand',
        ).to.equal(5);
      });

      it("holds requests at the endpoint's host", async () => {
        await guard('B', rows(family, 'ingress'));
        const before = await network.pods.far.received(53);
        const wire = await network.capture();
        expect(await network.pods.near.send({ ...far, count: 5 })).to.deep.equal({ packets: 0 });
        expect(await wire.stop()).to.have.lengthOf(5);
        expect(await network.pods.far.received(53)).to.equal(before);
        expect(await drops('B')).to.deep.equal({ ingress: 5 });
      });

      it("holds replies at the endpoint's host when requests came by IPsec", async () => {
        await guard('B', rows(family, 'ingress'));
        network.route('A', 'ipsec');
        const before = await network.pods.far.received(53);
        const wire = await network.capture();
        expect(await network.pods.near.send({ ...far, count: 5 })).to.deep.equal({ packets: 0 });
        expect(await wire.stop()).to.deep.equal([]);
        expect(await network.pods.far.received(53)).to.equal(before + 5);
        expect(await drops('B')).to.deep.equal({ egress: 5 });
      });

      it("holds replies at the client's host when requests left by IPsec", async () => {
        await guard('A', rows(family, 'egress'));
        network.route('A', 'ipsec');
        expect(await network.pods.near.send({ ...far, count: 5 })).to.deep.equal({ packets: 0 });
        expect(await drops('A')).to.deep.equal({ ingress: 5 });
      });

      it('lets pass what goes and comes by IPsec', async () => {
        await guard('A', rows(family, 'egress'));
        await guard('B', rows(family, 'ingress'));
        for (const host of ['A', 'B'] as const) network.route(host, 'ipsec');
        expect(await network.pods.near.send({ ...far, count: 5, ...ANSWERED })).to.deep.equal({ packets: 5 });
        expect(await network.pods.near.connect({ ...far, ...ANSWERED })).to.deep.equal({ packets: 1 });
      });

      it('lets other ports, other pods, pods of one host and hosts pass', async () => {
        await guard('A', rows(family, 'egress'));
        await guard('B', rows(family, 'ingress'));
        expect(await network.pods.near.send({ ...far, port: 5353, ...ANSWERED })).to.deep.equal({
          packets: 1,
        });
        expect(await network.pods.far.send({ ...near, ...ANSWERED })).to.deep.equal({ packets: 1 });
        expect(await network.pods.next.send({ ...far, ...ANSWERED })).to.deep.equal({ packets: 1 });
        expect(await network.pods.next.connect({ ...far, ...ANSWERED })).to.deep.equal({ packets: 1 });
        network.run('A', 'ping', '-c', '1', '-W', '1', far.address);
        expect(await drops('A')).to.deep.equal({});
        expect(await drops('B')).to.deep.equal({});
      });

      it('holds a request to a cluster IP whose endpoint is not known yet, and one that nothing has translated', async () => {
        const service = { address: CLUSTER_IPS[family], port: 53 };
        await guard('A', {
          ...rows(family, 'none'),
          clusterIps: [{ ...udp53, address: service.address as Address }],
        });
        const wire = await network.capture();
        expect(await network.pods.near.send({ ...service, count: 2 })).to.deep.equal({ packets: 0 });
        translate(network, family, 5353);
        expect(await network.pods.near.send({ ...service, count: 3 })).to.deep.equal({ packets: 0 });
        expect(await wire.stop()).to.deep.equal([]);
        expect(await drops('A')).to.deep.equal({ cluster_ip: 5 });
        await guard('A', rows(family, 'none'));
        expect(
          await network.pods.near.send({ ...service, ...ANSWERED, count: 3 }),
          'without the row',
        ).to.deep.equal({
          packets: 3,
        });
      });

      it('holds by the endpoint what went to a cluster IP or is masqueraded', async () => {
        await guard('A', rows(family, 'egress'));
        translate(network, family, 53);
        masquerade(network, family);
        const wire = await network.capture();
        expect(
          await network.pods.near.send({ address: CLUSTER_IPS[family], port: 53, count: 3 }),
        ).to.deep.equal({
          packets: 0,
        });
        expect(await wire.stop()).to.deep.equal([]);
        expect(await drops('A')).to.deep.equal({ egress: 3 });
      });

      it('holds every fragment', async () => {
        const large = { ...far, count: 3, sizeBytes: 4000 };
        const wire = await network.capture();
        expect(await network.pods.near.send({ ...large, ...ANSWERED })).to.deep.equal({ packets: 3 });
        expect(await wire.stop(), 'fragments are on the wire without the guard').to.have.lengthOf(18);
        await guard('B', rows(family, 'ingress'));
        const before = await network.pods.far.received(53);
        expect(await network.pods.near.send(large)).to.deep.equal({ packets: 0 });
        expect(await network.pods.far.received(53)).to.equal(before);
        await guard('A', rows(family, 'egress'));
        const guarded = await network.capture();
        expect(await network.pods.near.send(large)).to.deep.equal({ packets: 0 });
        expect(await guarded.stop()).to.deep.equal([]);
      });

      it('holds ICMP errors about a held flow and no others', async () => {
        await guard('B', rows(family, 'ingress', 54));
        network.route('A', 'ipsec');
        const wire = await network.capture();
        expect(await network.pods.near.send({ ...far, port: 54 })).to.deep.equal({ packets: 0 });
        expect(await wire.stop(), 'it quotes the payload').to.deep.equal([]);
        expect(await drops('B')).to.deep.equal({ icmp_errors: 1 });
        expect(await network.pods.near.send({ ...far, port: 55, ...ANSWERED })).to.include({
          error: 'ECONNREFUSED',
        });
      });

      it("holds a host's own ICMP error about a held flow", async () => {
        await guard('B', rows(family, 'ingress', 54));
        network.route('A', 'ipsec');
        network.run('B', 'ip', `-${family}`, 'route', 'add', 'unreachable', far.address, 'metric', '1');
        network.run('B', 'ip', `-${family}`, 'route', 'del', far.address, 'dev', 'cali-far');
        try {
          const wire = await network.capture();
          await network.pods.near.send({ ...far, port: 54 });
          const held = await wire.stop();
          await network.pods.near.send({ ...far, port: 55 });
          expect(held).to.deep.equal([]);
        } finally {
          network.run('B', 'ip', `-${family}`, 'route', 'add', far.address, 'dev', 'cali-far');
          network.run('B', 'ip', `-${family}`, 'route', 'del', 'unreachable', far.address, 'metric', '1');
        }
      });

      it('only counts in mode observe, each packet once', async () => {
        const service = { address: CLUSTER_IPS[family], port: 53 };
        const clusterIps = [{ ...udp53, address: service.address as Address }];
        await guard('A', { ...rows(family, 'egress'), clusterIps }, 'observe');
        await guard('B', rows(family, 'ingress'), 'observe');
        translate(network, family, 53);
        expect(await network.pods.near.send({ ...far, count: 5, ...ANSWERED })).to.deep.equal({ packets: 5 });
        expect(await network.pods.near.send({ ...service, count: 2, ...ANSWERED })).to.deep.equal({
          packets: 2,
        });
        expect(await drops('A')).to.deep.equal({ egress: 7, ingress: 7 });
        expect(await drops('B')).to.deep.equal({ egress: 7, ingress: 7 });
      });
    });
});

const udp53 = { protocol: 'udp', port: 53 } as const;

function demandKey(family: 4 | 6, protocol: 'tcp' | 'udp'): string {
  return endpointKey({ address: PODS.far[family] as Address, protocol, port: 53 });
}

/** `far` on udp and tcp; `egress` and `ingress` say which host holds. */
function rows(family: 4 | 6, kind: 'none' | 'count' | 'egress' | 'ingress', port = 53): GuardRows {
  const address = PODS.far[family] as Address;
  const holds = { holdEgress: kind === 'egress', holdIngress: kind === 'ingress' };
  const protocols = kind === 'none' ? [] : (['tcp', 'udp'] as const);
  return {
    endpoints: protocols.map((protocol) => ({ address, protocol, port, ...holds })),
    clusterIps: [],
    pools: [POOLS[4] as Prefix, POOLS[6] as Prefix],
  };
}

/** What kube-proxy does for a service. */
function translate(network: GuardNetwork, family: 4 | 6, targetPort: number): void {
  const l3 = family === 4 ? 'ip' : 'ip6';
  const target = family === 4 ? `${PODS.far[4]}:${targetPort}` : `[${PODS.far[6]}]:${targetPort}`;
  network.run('A', 'nft', `add table ${l3} proxy`);
  network.run('A', 'nft', `add chain ${l3} proxy pre { type nat hook prerouting priority dstnat; }`);
  network.run(
    'A',
    'nft',
    `add rule ${l3} proxy pre ${l3} daddr ${CLUSTER_IPS[family]} udp dport 53 dnat to ${target}`,
  );
}

function masquerade(network: GuardNetwork, family: 4 | 6): void {
  const l3 = family === 4 ? 'ip' : 'ip6';
  network.run('A', 'nft', `add chain ${l3} proxy post { type nat hook postrouting priority srcnat; }`);
  network.run('A', 'nft', `add rule ${l3} proxy post oifname "cluster" masquerade`);
}
