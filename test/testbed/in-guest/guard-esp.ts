// The guard beside real ESP with keys set by hand: what goes by IPsec passes, what NAT, a missing policy or an ICMP error would
// send in plaintext is held. Needs a kernel with ESP, as many build machines have none: ../guard-esp.test.ts runs it in the guest.
import { expect } from 'chai';
import type { GuardRows } from '../../../app/domain/host-config.ts';
import type { Address, Prefix } from '../../../app/domain/ip.ts';
import { applyGuard, readGuard } from '../../../app/guard/guard.ts';
import { planGuard, planTexts } from '../../../app/guard/plan-guard.ts';
import { guardRuleset } from '../../../app/guard/ruleset.ts';
import {
  ANSWERED,
  HOSTS,
  PODS,
  POOLS,
  startGuardNetwork,
  type GuardNetwork,
  type HostLetter,
} from '../../integration/guard-network.ts';
import { until } from '../../support/until.ts';

const ruleset = guardRuleset('cali*');
const KEY = `0x${'42'.repeat(20)}`;

describe('the guard and ESP', function () {
  this.timeout(120_000);
  let network: GuardNetwork;

  before(async () => {
    network = await startGuardNetwork();
    for (const family of [4, 6] as const) {
      await network.pods.far.listen('udp', family, 53);
      await network.pods.far.listen('tcp', family, 53);
    }
  });
  after(() => network.close());
  afterEach(() => {
    for (const host of ['A', 'B'] as const) {
      network.run(host, 'nft', 'flush', 'ruleset');
      network.run(host, 'ip', 'xfrm', 'policy', 'flush');
      network.run(host, 'ip', 'xfrm', 'state', 'flush');
    }
  });

  const guard = async (host: HostLetter, rows: GuardRows): Promise<void> => {
    const actual = await readGuard(network.nft(host), ruleset);
    await applyGuard(network.nft(host), planTexts(planGuard({ mode: 'enforce', rows, ruleset }, actual)));
  };
  const drops = async (host: HostLetter): Promise<Record<string, number>> => {
    const state = await readGuard(network.nft(host), ruleset);
    if (state.kind !== 'present') throw new Error(`the guard is ${state.kind}`);
    return Object.fromEntries(
      Object.entries(state.table.counters.drops).filter(([, packets]) => packets > 0),
    );
  };

  for (const family of [4, 6] as const)
    describe(`IPv${family}`, () => {
      const far = { address: PODS.far[family], port: 53, ...ANSWERED };
      const guardBoth = async (port = 53): Promise<void> => {
        await guard('A', rows(family, 'egress', port));
        await guard('B', rows(family, 'ingress', port));
      };

      it('lets requests, replies, fragments and connections by ESP pass, and adapts TCP segments', async () => {
        protect(network, family, 53);
        await guardBoth();
        network.run('B', 'nft', 'add table inet probe; add counter inet probe clamped');
        network.run('B', 'nft', 'add chain inet probe c { type filter hook forward priority 0; }');
        network.run(
          'B',
          'nft',
          'add rule inet probe c tcp flags & syn == syn tcp option maxseg size 1-1420 counter name clamped',
        );
        const wire = await network.capture();
        expect(await network.pods.near.send({ ...far, count: 5 })).to.deep.equal({ packets: 5 });
        // With IPv6 the pods have to be told the smaller path MTU by their own hosts, one datagram for each direction.
        const large = { ...far, count: 3, sizeBytes: 4000 };
        if (family === 6)
          await until('both pods know it', async () => {
            const { packets } = await network.pods.near.send({ ...large, waitMs: 500 });
            return packets === large.count;
          });
        expect(await network.pods.near.send(large)).to.deep.equal({ packets: 3 });
        expect(await network.pods.near.connect(far)).to.deep.equal({ packets: 1 });
        expect(plaintext(await wire.stop())).to.deep.equal([]);
        expect([await drops('A'), await drops('B')]).to.deep.equal([{}, {}]);
        expect(network.run('B', 'nft', 'list counter inet probe clamped'), 'SYN and its answer').to.contain(
          'packets 2 ',
        );
      });

      it('holds what masquerading takes out of its policy', async () => {
        protect(network, family, 53);
        masquerade(network, family);
        const open = await network.capture();
        await network.pods.near.send({ ...far, count: 3, waitMs: 300 });
        expect(plaintext(await open.stop()), 'without the guard').to.have.lengthOf.at.least(3);
        await guard('A', rows(family, 'egress'));
        const wire = await network.capture();
        expect(await network.pods.near.send({ ...far, count: 3, waitMs: 300 })).to.deep.equal({ packets: 0 });
        expect(plaintext(await wire.stop())).to.deep.equal([]);
        expect(await drops('A')).to.deep.equal({ masqueraded: 3 });
      });

      it('holds the port unreachable of a flow by ESP', async () => {
        protect(network, family, 54);
        const open = await network.capture();
        await network.pods.near.send({ ...far, port: 54, waitMs: 2000 });
        expect(plaintext(await open.stop()), 'without the guard').to.have.lengthOf(1);
        await guardBoth(54);
        const wire = await network.capture();
        await network.pods.near.send({ ...far, port: 54, waitMs: 500 });
        expect(plaintext(await wire.stop())).to.deep.equal([]);
        expect(await drops('B')).to.deep.equal({ icmp_errors: 1 });
      });

      it("holds replies when the endpoint's host has lost its policy, and requests when the client's host has", async () => {
        protect(network, family, 53);
        await guardBoth();
        const wire = await network.capture();
        removePolicies(network, 'B', family);
        expect(await network.pods.near.send({ ...far, count: 3, waitMs: 500 })).to.deep.equal({ packets: 0 });
        expect(await drops('B')).to.deep.equal({ egress: 3 });
        removePolicies(network, 'A', family);
        expect(await network.pods.near.send({ ...far, count: 3, waitMs: 500 })).to.deep.equal({ packets: 0 });
        expect(plaintext(await wire.stop())).to.deep.equal([]);
        expect(await drops('A')).to.deep.equal({ egress: 3 });
      });
    });
});

function rows(family: 4 | 6, kind: 'egress' | 'ingress', port = 53): GuardRows {
  const address = PODS.far[family] as Address;
  const holds = { holdEgress: kind === 'egress', holdIngress: kind === 'ingress' };
  return {
    endpoints: (['tcp', 'udp'] as const).map((protocol) => ({ address, protocol, port, ...holds })),
    clusterIps: [],
    pools: [POOLS[4] as Prefix, POOLS[6] as Prefix],
  };
}

/** Tunnels for `near` to `far` on one port, udp and tcp, as charon would install them. */
function protect(network: GuardNetwork, family: 4 | 6, port: number): void {
  const [a, b] = [HOSTS.A[family], HOSTS.B[family]];
  for (const host of ['A', 'B'] as const) {
    addState(network, host, [a, b, '0x101']);
    addState(network, host, [b, a, '0x102']);
    for (const policy of policies(host, family, port))
      network.run(
        ...[host, 'ip', 'xfrm', 'policy', 'add', ...policy.selector],
        ...['tmpl', 'src', policy.from, 'dst', policy.to, 'proto', 'esp', 'reqid', '1', 'mode', 'tunnel'],
      );
  }
}

/** Only what leaves: without the others the kernel itself drops what was decrypted. */
function removePolicies(network: GuardNetwork, host: HostLetter, family: 4 | 6): void {
  for (const { selector } of policies(host, family, 53))
    if (selector.includes('out')) network.run(host, 'ip', 'xfrm', 'policy', 'delete', ...selector);
}

interface Policy {
  readonly selector: readonly string[];
  readonly from: string;
  readonly to: string;
}

function policies(host: HostLetter, family: 4 | 6, port: number): Policy[] {
  const [a, b] = [HOSTS.A[family], HOSTS.B[family]];
  const [near, far] = [PODS.near[family], PODS.far[family]];
  const [requests, replies] = host === 'A' ? (['out', 'fwd'] as const) : (['fwd', 'out'] as const);
  return ['udp', 'tcp'].flatMap((protocol) => {
    const ends = ['proto', protocol];
    return [
      {
        selector: ['src', near, 'dst', far, ...ends, 'dport', `${port}`, 'dir', requests],
        from: a,
        to: b,
      },
      {
        selector: ['src', far, 'dst', near, ...ends, 'sport', `${port}`, 'dir', replies],
        from: b,
        to: a,
      },
    ];
  });
}

function addState(
  network: GuardNetwork,
  host: HostLetter,
  [from, to, spi]: readonly [string, string, string],
): void {
  network.run(
    ...[host, 'ip', 'xfrm', 'state', 'add', 'src', from, 'dst', to, 'proto', 'esp', 'spi', spi, 'reqid', '1'],
    ...['mode', 'tunnel', 'aead', 'rfc4106(gcm(aes))', KEY, '128'],
  );
}

function masquerade(network: GuardNetwork, family: 4 | 6): void {
  const l3 = family === 4 ? 'ip' : 'ip6';
  network.run(
    'A',
    'nft',
    `add table ${l3} proxy; add chain ${l3} proxy post { type nat hook postrouting priority srcnat; }`,
  );
  network.run('A', 'nft', `add rule ${l3} proxy post oifname "cluster" masquerade`);
}

/** All but ESP, also fragments of it: the rest would name a pod. */
function plaintext(lines: readonly string[]): string[] {
  const isBetweenHosts = (line: string): boolean =>
    ([4, 6] as const).some((family) => line.includes(HOSTS.A[family]) && line.includes(HOSTS.B[family]));
  return lines.filter((line) => !isBetweenHosts(line));
}
