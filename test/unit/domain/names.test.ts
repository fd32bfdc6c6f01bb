import { expect } from 'chai';
import type { Facts, HostName, ShardFact } from '../../../app/domain/facts.ts';
import type { Child, HostConfig } from '../../../app/domain/host-config.ts';
import { assignNames, commonName, connectionName, isChildName, isOurs } from '../../../app/domain/names.ts';
import { planHost } from '../../../app/domain/plan-host.ts';
import {
  CONTROLLER_0,
  CONTROLLER_1,
  WORKER_0,
  endpoint,
  facts,
  hostName,
  kubeDns,
  network,
  seedFacts,
  shard,
} from '../../support/facts-builders.ts';

const NOTHING: ReadonlyMap<string, ReadonlySet<string>> = new Map();

function config(given: Facts, self: HostName = WORKER_0, file?: HostConfig, charon = NOTHING): HostConfig {
  return assignNames(planHost(given, self), file, charon);
}

function names(given: HostConfig, connection: string): string[] {
  return children(given, connection).map((child) => child.name);
}

function children(given: HostConfig, connection: string): readonly Child[] {
  return given.connections.find(({ name }) => name === connection)?.children ?? [];
}

function nameOf(given: HostConfig, connection: string, endpointPrefix: string): string | undefined {
  return children(given, connection).find((child) => child.remoteTs.prefix === endpointPrefix)?.name;
}

/** A service with tcp/80 and one endpoint on controller-0. */
function web(namespace: string, address: string): ShardFact {
  return shard({
    of: `${namespace}/web`,
    stages: 'tcp/80',
    endpoints: [endpoint(address, 'controller-0', 'tcp/80')],
  });
}

describe('connectionName and commonName', () => {
  it('are the seed’s, with a name of its own for IPv6', () => {
    expect(connectionName(CONTROLLER_0, 4)).to.equal('k8s-node-controller-0');
    expect(connectionName(CONTROLLER_0, 6)).to.equal('k8s-node-controller-0-ipv6');
    expect(commonName(CONTROLLER_0)).to.equal('ipsec-controller-0');
  });

  it('refuse a host that makes no name: planHost has left it out', () => {
    for (const name of ['a.b', 'local', 'x-ipv6', 'system-nodes', 'a\nb', '']) {
      expect(() => connectionName(hostName(name), 4)).to.throw();
      expect(() => commonName(hostName(name))).to.throw();
    }
  });
});

describe('isOurs', () => {
  for (const name of [
    'k8s-node-controller-0',
    'k8s-node-local',
    'k8s-node-worker-0-ipv6',
    'k8s-node-removed_host',
  ])
    it(`takes ${name}`, () => expect(isOurs(name)).to.equal(true));
  const strangers = [
    'system-nodes',
    'system-nodes-local',
    'services-bypass-egress',
    'ping',
    'k8s-node',
    'k8s-node-',
  ].concat(['K8S-node-a', 'x-k8s-node-a', 'k8s-node-a.b', 'k8s-node-system-nodes', 'k8s-node-a\n', '']);
  for (const name of strangers)
    it(`leaves ${JSON.stringify(name)} alone`, () => expect(isOurs(name)).to.equal(false));
});

describe('assignNames without a file', () => {
  it('gives the seed’s names, and a second port of one service the next one', () => {
    const given = config(seedFacts(), CONTROLLER_0);
    expect(given.connections.map(({ name }) => name)).to.deep.equal([
      'k8s-node-controller-1',
      'k8s-node-worker-0',
    ]);
    expect(names(given, 'k8s-node-controller-1')).to.deep.equal([
      'tcp_cm-cert-manager_ingress',
      'tcp_kube-dns_egress',
      'tcp_kube-dns_egress-2',
      'tcp_kube-dns_ingress',
      'tcp_kube-dns_ingress-2',
      'udp_kube-dns_egress',
      'udp_kube-dns_ingress',
    ]);
    expect(children(given, 'k8s-node-controller-1').map((child) => child.remoteTs.port)).to.deep.equal([
      undefined,
      53,
      9153,
      undefined,
      undefined,
      53,
      undefined,
    ]);
  });

  it('names the namespace of a second service of one name', () => {
    const given = config(
      facts({
        shards: [web('prod', '172.16.192.70'), web('dev', '172.16.192.71'), web('dev', '172.16.192.72')],
      }),
    );
    expect(names(given, 'k8s-node-controller-0')).to.deep.equal([
      'tcp_prod_web_egress',
      'tcp_web_egress',
      'tcp_web_egress-2',
    ]);
    expect(nameOf(given, 'k8s-node-controller-0', '172.16.192.70/32')).to.equal('tcp_prod_web_egress');
  });

  it('never holds the platform’s name, and makes a valid one of anything', () => {
    const odd = shard({
      of: 'default/system-nodes',
      stages: 'tcp/80',
      endpoints: [endpoint('172.16.192.70', 'controller-0', 'tcp/80')],
    });
    expect(names(config(facts({ shards: [odd] })), 'k8s-node-controller-0')).to.deep.equal([
      'tcp_system_nodes_egress',
    ]);
    const worse = { ...odd, service: 'a.b { updown = "x" }\n' };
    const [name = ''] = names(config(facts({ shards: [worse] })), 'k8s-node-controller-0');
    expect(isChildName(name)).to.equal(true);
  });

  it('drops nothing else of the plan', () => {
    const [connection] = config(seedFacts()).connections;
    expect(connection).to.deep.include({
      kind: 'peer',
      localAddress: '192.168.206.66',
      remoteAddress: '192.168.206.2',
    });
    expect(connection).not.to.have.any.keys('peer', 'loadedAt');
    expect(connection?.children[0]).to.deep.equal({
      name: 'tcp_cm-cert-manager_egress',
      mode: 'tunnel',
      localTs: { prefix: '172.16.43.0/26', protocol: 'tcp' },
      remoteTs: { prefix: '172.16.192.90/32', protocol: 'tcp', port: 9402 },
      priority: 100_013,
      startAction: 'trap',
    });
  });
});

describe('assignNames with a file', () => {
  const both = facts({ shards: [web('dev', '172.16.192.71'), web('prod', '172.16.192.70')] });
  const prodOnly = facts({ shards: [web('prod', '172.16.192.70')] });

  it('keeps every name when a service of the same name comes or goes', () => {
    const first = config(prodOnly);
    expect(names(first, 'k8s-node-controller-0')).to.deep.equal(['tcp_web_egress']);
    const second = config(both, WORKER_0, first);
    expect(nameOf(second, 'k8s-node-controller-0', '172.16.192.70/32')).to.equal('tcp_web_egress');
    expect(nameOf(second, 'k8s-node-controller-0', '172.16.192.71/32')).to.equal('tcp_dev_web_egress');
    const third = config(facts({ shards: [web('dev', '172.16.192.71')] }), WORKER_0, second);
    expect(names(third, 'k8s-node-controller-0')).to.deep.equal(['tcp_dev_web_egress']);
  });

  it('keeps the name when the service that gave it goes and another one holds the flow', () => {
    const shared = facts({ shards: [kubeDns({ of: 'default/first' }), kubeDns({ of: 'default/second' })] });
    const before = config(shared);
    const after = config(facts({ shards: [kubeDns({ of: 'default/second' })] }), WORKER_0, before);
    expect(after).to.deep.equal(before);
  });

  it('keeps the name through every change of stage', () => {
    const before = config(facts({ shards: [kubeDns({ stage: 'enforce' })] }));
    const after = config(facts({ shards: [kubeDns({ stage: 'release' })] }), WORKER_0, before);
    expect(names(after, 'k8s-node-controller-0')).to.deep.equal(names(before, 'k8s-node-controller-0'));
    expect(children(after, 'k8s-node-controller-0')[0]?.startAction).to.equal('none');
  });

  it('gives a name that just became unused to nobody while the file or charon has it', () => {
    const before = config(facts({ shards: [web('dev', '172.16.192.71')] }));
    const next = facts({ shards: [web('dev', '172.16.192.72')] });
    const moved = config(next, WORKER_0, before);
    expect(names(moved, 'k8s-node-controller-0')).to.deep.equal(['tcp_web_egress-2']);
    const charon = new Map([['k8s-node-controller-0', new Set(['tcp_web_egress', 'tcp_web_egress-2'])]]);
    expect(names(config(next, WORKER_0, undefined, charon), 'k8s-node-controller-0')).to.deep.equal([
      'tcp_web_egress-3',
    ]);
    const elsewhere = new Map([['k8s-node-controller-1', new Set(['tcp_web_egress'])]]);
    expect(names(config(next, WORKER_0, undefined, elsewhere), 'k8s-node-controller-0')).to.deep.equal([
      'tcp_web_egress',
    ]);
  });

  it('keeps a name under another network uid too, but not what the plan no longer has', () => {
    const before = config(seedFacts());
    const after = config({ ...prodOnly, network: network({ uid: 'network-2' }) }, WORKER_0, before);
    expect(after.networkUid).to.equal('network-2');
    expect(names(after, 'k8s-node-controller-0')).to.deep.equal(['tcp_web_egress']);
    expect(
      config(seedFacts({ network: network({ uid: 'network-2' }) }), WORKER_0, before).connections,
    ).to.deep.equal(before.connections);
  });

  it('keeps no name that is not possible, or that two children have', () => {
    const before = config(seedFacts());
    const spoilt = edit(before, (child) => ({ ...child, name: 'tcp.system-nodes' as Child['name'] }));
    expect(names(config(seedFacts(), WORKER_0, spoilt), 'k8s-node-controller-0')).to.deep.equal(
      names(before, 'k8s-node-controller-0'),
    );
    const doubled = edit(before, (child) => ({ ...child, name: 'same' as Child['name'] }));
    const repaired = names(config(seedFacts(), WORKER_0, doubled), 'k8s-node-controller-0');
    expect(new Set(repaired).size).to.equal(repaired.length);
    expect(repaired).to.include('same');
  });

  it('takes the first name of two for one flow', () => {
    const before = config(prodOnly);
    const twice = withChildren(before, (all) => [
      ...all,
      { ...all[0]!, name: 'tcp_web_egress-7' as Child['name'] },
    ]);
    expect(names(config(prodOnly, WORKER_0, twice), 'k8s-node-controller-0')).to.deep.equal([
      'tcp_web_egress',
    ]);
  });
});

describe('assignNames and the time of loading', () => {
  const stamped = stamp(config(seedFacts()), '2026-01-02T03:04:05Z');

  function loadedAt(given: HostConfig): (string | undefined)[] {
    return given.connections.map((connection) =>
      connection.kind === 'peer' ? connection.loadedAt : undefined,
    );
  }

  it('carries it over while only children change', () => {
    const fewer = facts({ shards: [kubeDns({ stages: 'udp/53' })] });
    expect(loadedAt(config(fewer, WORKER_0, stamped))).to.deep.equal([
      '2026-01-02T03:04:05Z',
      '2026-01-02T03:04:05Z',
    ]);
  });

  it('carries it over from a file whose parameters stand in another order', () => {
    const reordered = stampWith(stamped, ({ parameters, ...rest }) => ({
      ...rest,
      parameters: Object.fromEntries(Object.entries(parameters).reverse()) as unknown as typeof parameters,
    }));
    expect(loadedAt(config(seedFacts(), WORKER_0, reordered))[0]).to.equal('2026-01-02T03:04:05Z');
  });

  it('drops it when the CA is no longer set', () => {
    const pinned = seedFacts({
      network: network({ parameters: { ...network().parameters, caId: 'CN=ca' } }),
    });
    expect(loadedAt(config(seedFacts(), WORKER_0, stamp(config(pinned), 'then')))).to.deep.equal([
      undefined,
      undefined,
    ]);
  });

  for (const { name, given } of [
    { name: 'a parameter', given: { parameters: { ...network().parameters, dpdSeconds: 20 } } },
    { name: 'the CA', given: { parameters: { ...network().parameters, caId: 'CN=ca' } } },
  ])
    it(`drops it when ${name} of the connection changes`, () => {
      const changed = seedFacts({ network: network(given) });
      expect(loadedAt(config(changed, WORKER_0, stamped))).to.deep.equal([undefined, undefined]);
    });

  it('drops it for the peer whose address changes, and for no other', () => {
    const given = seedFacts();
    const hosts = given.hosts.map((host) =>
      host.name === CONTROLLER_1 ? { ...host, addresses: given.hosts[2]!.addresses } : host,
    );
    expect(loadedAt(config({ ...given, hosts }, WORKER_0, stamped))).to.deep.equal([
      '2026-01-02T03:04:05Z',
      undefined,
    ]);
  });
});

type Peer = Extract<HostConfig['connections'][number], { kind: 'peer' }>;

function stamp(given: HostConfig, loadedAt: string): HostConfig {
  return stampWith(given, (connection) => ({ ...connection, loadedAt }));
}

function stampWith(given: HostConfig, change: (connection: Peer) => Peer): HostConfig {
  const connections = given.connections.map((connection) =>
    connection.kind === 'peer' ? change(connection) : connection,
  );
  return { ...given, connections };
}

function edit(given: HostConfig, change: (child: Child) => Child): HostConfig {
  return withChildren(given, (all) => all.map(change));
}

function withChildren(
  given: HostConfig,
  change: (children: readonly Child[]) => readonly Child[],
): HostConfig {
  return {
    ...given,
    connections: given.connections.map((connection) => ({
      ...connection,
      children: change(connection.children),
    })),
  };
}
