import { expect } from 'chai';
import { guardFromFile } from '../../../app/agent/guard-from-file.ts';
import type { Facts } from '../../../app/domain/facts.ts';
import type { GuardRows } from '../../../app/domain/host-config.ts';
import { containsPrefix } from '../../../app/domain/ip.ts';
import { assignNames } from '../../../app/domain/names.ts';
import { planHost } from '../../../app/domain/plan-host.ts';
import { formatPort } from '../../../app/domain/ports.ts';
import { parseConfText } from '../../../app/swanctl/conf-parse.ts';
import { confText } from '../../../app/swanctl/conf-text.ts';
import {
  CONTROLLER_0,
  endpoint,
  facts,
  host,
  kubeDns,
  network,
  prefix,
  SEED_HOSTS,
  seedFacts,
  shard,
} from '../../support/facts-builders.ts';
import { BORROWED, child, config, DNS_EGRESS, DNS_INGRESS, local, peer } from '../../support/host-configs.ts';

/** `172.16.166.178 udp/53 egress`: what it holds, or `counts`. */
const lines = ({ endpoints }: GuardRows): string[] =>
  endpoints.map(({ holdEgress, holdIngress, address, ...port }) =>
    [
      address,
      formatPort(port),
      holdEgress && 'egress',
      holdIngress && 'ingress',
      !holdEgress && !holdIngress && 'counts',
    ]
      .filter((word) => word !== false)
      .join(' '),
  );

/** What an agent finds in the file that another one wrote for these facts. */
function afterReboot(given: Facts): GuardRows {
  const text = confText(assignNames(planHost(given, CONTROLLER_0), undefined, new Map()));
  const parsed = parseConfText(text);
  if ('error' in parsed) throw new Error(parsed.error);
  return guardFromFile(parsed.config);
}

describe('guardFromFile', () => {
  it('holds towards the endpoints of egress traps and around those of ingress traps', () => {
    const { endpoints, pools, clusterIps } = guardFromFile(
      config(peer('controller-1', [DNS_EGRESS, DNS_INGRESS])),
    );
    expect(lines({ endpoints, pools, clusterIps })).to.deep.equal([
      '172.16.166.178 udp/53 egress',
      '172.16.192.115 udp/53 ingress',
    ]);
    expect(pools).to.deep.equal(['172.16.166.128/26', '172.16.192.64/26']);
    expect(clusterIps).to.deep.equal([]);
  });

  it('only counts where no trap is set', () => {
    const children = [DNS_EGRESS, DNS_INGRESS].map((each) => ({ ...each, startAction: 'none' as const }));
    expect(lines(guardFromFile(config(peer('controller-1', children))))).to.deep.equal([
      '172.16.166.178 udp/53 counts',
      '172.16.192.115 udp/53 counts',
    ]);
  });

  it('has one row for an endpoint, however many prefixes and peers use it, and the stricter of two', () => {
    const other = child('udp_kube-dns_ingress', '172.16.192.115/32[udp/53]', '172.16.43.0/26[udp]', {
      startAction: 'none',
    });
    const rows = guardFromFile(config(peer('controller-1', [DNS_INGRESS]), peer('worker-0', [other])));
    expect(lines(rows)).to.deep.equal(['172.16.192.115 udp/53 ingress']);
    expect(rows.pools).to.deep.equal(['172.16.43.0/26', '172.16.166.128/26']);
    const turned = guardFromFile(config(peer('controller-1', [other]), peer('worker-0', [DNS_INGRESS])));
    expect(turned).to.deep.equal(rows);
  });

  it('ignores what passes, and what is no flow of ours', () => {
    const wide = child('tcp_x_egress', '172.16.192.64/26[tcp]', '172.16.166.128/26[tcp/80]');
    const noPort = child('tcp_y_egress', '172.16.192.64/26[tcp]', '172.16.166.130/32[tcp]');
    const given = config(peer('controller-1', [wide, noPort]), local([BORROWED]));
    expect(guardFromFile(given)).to.deep.equal({ endpoints: [], clusterIps: [], pools: [] });
    expect(guardFromFile(config())).to.deep.equal({ endpoints: [], clusterIps: [], pools: [] });
  });

  it('does both families', () => {
    const six = child('tcp_web_egress', 'fd00::40/122[tcp]', 'fd00::7/128[tcp/443]');
    const rows = guardFromFile(config(peer('controller-1', [DNS_EGRESS]), peer('controller-1-ipv6', [six])));
    expect(lines(rows)).to.deep.equal(['172.16.166.178 udp/53 egress', 'fd00::7 tcp/443 egress']);
    expect(rows.pools).to.deep.equal(['172.16.192.64/26', 'fd00::40/122']);
  });

  describe('compared with what the facts would hold', () => {
    const web = shard({
      of: 'ns/web',
      stages: 'sctp/1=prepare tcp/2=protect tcp/3=enforce tcp/4=release',
      endpoints: [
        endpoint('172.16.43.2', 'worker-0', 'sctp/1 tcp/2 tcp/3 tcp/4'),
        endpoint('172.16.192.70', 'controller-0', 'sctp/1 tcp/2 tcp/3 tcp/4'),
      ],
    });
    const borrowing = SEED_HOSTS.map((each) =>
      each.name === 'worker-0'
        ? host('worker-0', each.addresses, ['172.16.43.0/26', '172.16.166.130/32'])
        : each,
    );
    const table: readonly { name: string; given: Facts }[] = [
      { name: 'the public description', given: seedFacts() },
      { name: 'ports in every stage', given: facts({ shards: [web] }) },
      { name: 'a borrowed address', given: facts({ hosts: borrowing, shards: [kubeDns(), web] }) },
    ];
    for (const { name, given } of table)
      it(`counts and holds the same endpoints that have children: ${name}`, () => {
        const wanted = planHost(given, CONTROLLER_0).guard;
        expect(lines(afterReboot(given))).to.deep.equal(lines(wanted));
      });

    it('never has a pool outside the platform’s', () => {
      const pools = [prefix('172.16.0.0/16')];
      const rows = afterReboot(seedFacts({ network: network({ pools }) }));
      expect(rows.pools.filter((pool) => !containsPrefix(pools[0]!, pool))).to.deep.equal([]);
      expect(rows.pools).to.deep.equal(['172.16.43.0/26', '172.16.166.128/26', '172.16.192.64/26']);
    });
  });
});
