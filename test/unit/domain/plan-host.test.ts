import { expect } from 'chai';
import type { EndpointState, Facts, HostName, Stage } from '../../../app/domain/facts.ts';
import type { PlannedChild, TrafficSelector } from '../../../app/domain/host-config.ts';
import { planHost } from '../../../app/domain/plan-host.ts';
import {
  CONTROLLER_0,
  CONTROLLER_1,
  SEED_HOSTS,
  WORKER_0,
  endpoint,
  facts,
  host,
  hostName,
  kubeDns,
  seedFacts,
  shard,
} from '../../support/facts-builders.ts';

/** `connection: direction local remote`, one line for each child, without the mode of tunnels and with that of others. */
function childrenOf(given: Facts, self: HostName): string[] {
  return planHost(given, self).connections.flatMap(({ name, children }) =>
    children.map((child) => `${name}: ${childText(child)}`),
  );
}

function childText({ direction, mode, localTs, remoteTs }: PlannedChild): string {
  return `${mode === 'pass' ? 'pass' : direction} ${selectorText(localTs)} ${selectorText(remoteTs)}`;
}

function selectorText({ prefix, protocol, port }: TrafficSelector): string {
  return `${prefix}[${protocol}${port === undefined ? '' : `/${port}`}]`;
}

function problemsOf(given: Facts, self: HostName): string[] {
  return planHost(given, self).problems.map(({ reason, subject }) => `${reason} ${subject}`);
}

/** kube-dns of the seed with udp/53 only, and one endpoint on controller-0 unless told. */
function dns(...endpoints: ReturnType<typeof endpoint>[]): ReturnType<typeof shard> {
  const own = endpoint('172.16.192.115', 'controller-0', 'udp/53');
  return kubeDns({ stages: 'udp/53', endpoints: endpoints.length === 0 ? [own] : endpoints });
}

describe('planHost for the seed’s three hosts', () => {
  const udpOnly = facts({ shards: [kubeDns({ stages: 'udp/53' })] });
  const views: { self: HostName; expected: string[] }[] = [
    {
      self: CONTROLLER_0,
      expected: [
        'k8s-node-controller-1: egress 172.16.192.64/26[udp] 172.16.166.178/32[udp/53]',
        'k8s-node-controller-1: ingress 172.16.192.115/32[udp/53] 172.16.166.128/26[udp]',
        'k8s-node-worker-0: ingress 172.16.192.115/32[udp/53] 172.16.43.0/26[udp]',
      ],
    },
    {
      self: CONTROLLER_1,
      expected: [
        'k8s-node-controller-0: ingress 172.16.166.178/32[udp/53] 172.16.192.64/26[udp]',
        'k8s-node-controller-0: egress 172.16.166.128/26[udp] 172.16.192.115/32[udp/53]',
        'k8s-node-worker-0: ingress 172.16.166.178/32[udp/53] 172.16.43.0/26[udp]',
      ],
    },
    {
      self: WORKER_0,
      expected: [
        'k8s-node-controller-0: egress 172.16.43.0/26[udp] 172.16.192.115/32[udp/53]',
        'k8s-node-controller-1: egress 172.16.43.0/26[udp] 172.16.166.178/32[udp/53]',
      ],
    },
  ];
  for (const { self, expected } of views)
    it(`gives ${self} the two connections and the selectors that the seed shows`, () => {
      expect(childrenOf(udpOnly, self)).to.deep.equal(expected);
    });

  it('gives connections the seed’s addresses, identities and parameters', () => {
    const [connection] = planHost(udpOnly, CONTROLLER_0).connections;
    expect(connection).to.deep.include({
      kind: 'peer',
      name: 'k8s-node-controller-1',
      peer: 'controller-1',
      localAddress: '192.168.206.2',
      remoteAddress: '192.168.206.3',
      localCommonName: 'ipsec-controller-0',
      remoteCommonName: 'ipsec-controller-1',
      parameters: {
        ikeProposal: 'aes128-sha256-prfaesxcbc-modp3072',
        espProposal: 'aes128gcm16',
        ikeReauthSeconds: 14400,
        ikeRekeySeconds: 3600,
        childRekeySeconds: 3600,
        dpdSeconds: 10,
      },
    });
  });

  it('names service, shards and versions, and has no problem', () => {
    const plan = planHost(seedFacts(), WORKER_0);
    expect(plan).to.include({ host: 'worker-0', networkUid: 'network-1' });
    expect(plan.problems).to.be.empty;
    expect(plan.shards.map(({ name }) => name)).to.deep.equal([
      'cert-manager.cm-cert-manager.0',
      'kube-system.kube-dns.0',
    ]);
    const cert = plan.connections[0]?.children.find((child) => child.flow.port === 9402);
    expect(cert?.service).to.deep.equal({ namespace: 'cert-manager', name: 'cm-cert-manager' });
    expect(cert?.shards).to.deep.equal(['cert-manager.cm-cert-manager.0']);
  });

  it('has no connection where no flow is shared', () => {
    const given = facts({ shards: [dns(endpoint('172.16.192.115', 'controller-0', 'udp/53'))] });
    expect(planHost(given, WORKER_0).connections.map(({ name }) => name)).to.deep.equal([
      'k8s-node-controller-0',
    ]);
  });

  it('has nothing without shards, or on a cluster of one host', () => {
    expect(planHost(facts(), WORKER_0).connections).to.be.empty;
    const alone = facts({ hosts: SEED_HOSTS.slice(0, 1), shards: [dns()] });
    expect(planHost(alone, CONTROLLER_0).connections).to.be.empty;
  });
});

describe('planHost by stage and state', () => {
  type Ends = [client: string, own: string];
  const table: Record<Stage, Record<EndpointState, Ends>> = {
    prepare: { pending: ['absent', 'none'], active: ['none', 'none'], leaving: ['absent', 'absent'] },
    protect: { pending: ['absent', 'none'], active: ['trap', 'none'], leaving: ['absent', 'absent'] },
    enforce: { pending: ['absent', 'trap'], active: ['trap', 'trap'], leaving: ['absent', 'absent'] },
    release: { pending: ['absent', 'none'], active: ['none', 'none'], leaving: ['absent', 'absent'] },
    gone: { pending: ['absent', 'absent'], active: ['absent', 'absent'], leaving: ['absent', 'absent'] },
  };
  for (const [stage, states] of Object.entries(table) as [Stage, Record<EndpointState, Ends>][])
    for (const [state, [client, own]] of Object.entries(states) as [EndpointState, Ends][])
      it(`${stage}, ${state}: egress ${client}, ingress ${own}`, () => {
        const one = endpoint('172.16.192.115', 'controller-0', 'udp/53', state);
        const given = facts({ shards: [kubeDns({ stages: 'udp/53', stage, endpoints: [one] })] });
        const actions = [WORKER_0, CONTROLLER_0].map(
          (self) =>
            planHost(given, self).connections.find(isBetweenTheTwo)?.children[0]?.startAction ?? 'absent',
        );
        expect(actions).to.deep.equal([client, own]);
      });

  function isBetweenTheTwo({ name }: { name: string }): boolean {
    return name === 'k8s-node-controller-0' || name === 'k8s-node-worker-0';
  }

  it('takes the stages of every shard from shard 0 of its service', () => {
    const second = shard({
      of: 'kube-system/kube-dns',
      index: 1,
      endpoints: [endpoint('172.16.166.178', 'controller-1', 'udp/53 tcp/53')],
    });
    const given = facts({ shards: [second, kubeDns({ stages: 'udp/53=protect', endpoints: [] })] });
    expect(childrenOf(given, WORKER_0)).to.deep.equal([
      'k8s-node-controller-1: egress 172.16.43.0/26[udp] 172.16.166.178/32[udp/53]',
    ]);
    expect(planHost(given, WORKER_0).connections[0]?.children[0]?.shards).to.deep.equal([
      'kube-system.kube-dns.1',
    ]);
    expect(planHost(facts({ shards: [second] }), WORKER_0).connections).to.be.empty;
  });
});

describe('planHost with several prefixes', () => {
  const TWO_BLOCKS = [
    ...SEED_HOSTS.slice(0, 2),
    host('worker-0', ['192.168.206.66'], ['172.16.43.0/26', '172.16.43.64/26']),
  ];
  it('has a child for each block of a client, at both ends', () => {
    const given = facts({ hosts: TWO_BLOCKS, shards: [dns()] });
    expect(childrenOf(given, WORKER_0)).to.deep.equal([
      'k8s-node-controller-0: egress 172.16.43.0/26[udp] 172.16.192.115/32[udp/53]',
      'k8s-node-controller-0: egress 172.16.43.64/26[udp] 172.16.192.115/32[udp/53]',
    ]);
    expect(
      childrenOf(given, CONTROLLER_0).filter((line) => line.startsWith('k8s-node-worker-0')),
    ).to.deep.equal([
      'k8s-node-worker-0: ingress 172.16.192.115/32[udp/53] 172.16.43.0/26[udp]',
      'k8s-node-worker-0: ingress 172.16.192.115/32[udp/53] 172.16.43.64/26[udp]',
    ]);
  });

  // controller-0 has a pod with 172.16.43.5, an address of worker-0's block.
  const BORROWED = [
    host('controller-0', ['192.168.206.2'], ['172.16.43.5/32', '172.16.192.64/26']),
    ...SEED_HOSTS.slice(1),
  ];

  it('passes a borrowed address on the endpoint’s own host, before the ingress child that would catch it', () => {
    const { connections } = planHost(facts({ hosts: BORROWED, shards: [dns()] }), CONTROLLER_0);
    const local = connections.find((connection) => connection.kind === 'local');
    expect(local?.name).to.equal('k8s-node-local');
    expect(local?.children.map(childText)).to.deep.equal([
      'pass 172.16.192.115/32[udp/53] 172.16.43.5/32[udp]',
    ]);
    const ingress = connections.find(({ name }) => name === 'k8s-node-worker-0')?.children[0];
    expect(local?.children[0]?.priority).to.be.below(ingress?.priority ?? 0);
    expect(local?.children[0]?.startAction).to.equal('trap');
  });

  it('passes it with a trap in every stage, since nothing else installs a pass policy', () => {
    for (const stage of ['prepare', 'protect', 'enforce', 'release'] as const) {
      const given = facts({ hosts: BORROWED, shards: [kubeDns({ stages: 'udp/53', stage })] });
      const local = planHost(given, CONTROLLER_0).connections.find(({ kind }) => kind === 'local');
      expect(local?.children.map((child) => child.startAction)).to.deep.equal(['trap']);
    }
  });

  it('lists pass children by endpoint, whichever peers’ prefixes would catch them', () => {
    const hosts = [
      host('controller-0', ['192.168.206.2'], ['172.16.43.5/32', '172.16.166.130/32', '172.16.192.64/26']),
      ...SEED_HOSTS.slice(1),
    ];
    const two = dns(
      endpoint('172.16.192.116', 'controller-0', 'udp/53'),
      endpoint('172.16.192.115', 'controller-0', 'udp/53'),
    );
    const { connections } = planHost(facts({ hosts, shards: [two] }), CONTROLLER_0);
    expect(connections.find(({ kind }) => kind === 'local')?.children.map(childText)).to.deep.equal([
      'pass 172.16.192.115/32[udp/53] 172.16.43.5/32[udp]',
      'pass 172.16.192.115/32[udp/53] 172.16.166.130/32[udp]',
      'pass 172.16.192.116/32[udp/53] 172.16.43.5/32[udp]',
      'pass 172.16.192.116/32[udp/53] 172.16.166.130/32[udp]',
    ]);
  });

  it('needs no pass child for endpoints elsewhere, and none where nobody’s prefix would catch it', () => {
    const elsewhere = facts({
      hosts: BORROWED,
      shards: [dns(endpoint('172.16.166.178', 'controller-1', 'udp/53'))],
    });
    expect(planHost(elsewhere, CONTROLLER_0).connections.map(({ name }) => name)).to.deep.equal([
      'k8s-node-controller-1',
    ]);
    const ownerGone = facts({ hosts: BORROWED.slice(0, 2), shards: [dns()] });
    expect(planHost(ownerGone, CONTROLLER_0).connections.map(({ kind }) => kind)).to.deep.equal(['peer']);
  });

  it('gives a borrowed client address its own child at both ends, before the one of its block', () => {
    const given = facts({
      hosts: BORROWED,
      shards: [dns(endpoint('172.16.166.178', 'controller-1', 'udp/53'))],
    });
    expect(childrenOf(given, CONTROLLER_0)[0]).to.equal(
      'k8s-node-controller-1: egress 172.16.43.5/32[udp] 172.16.166.178/32[udp/53]',
    );
    const children = planHost(given, CONTROLLER_1).connections.flatMap((connection) => connection.children);
    const priority = (prefix: string): number | undefined =>
      children.find((child) => child.remoteTs.prefix === prefix)?.priority;
    expect(priority('172.16.43.5/32')).to.be.below(priority('172.16.43.0/26') ?? 0);
  });

  it('reaches an endpoint with a borrowed address on the host that uses it', () => {
    const given = facts({
      hosts: BORROWED,
      shards: [dns(endpoint('172.16.43.5', 'controller-0', 'udp/53'))],
    });
    expect(childrenOf(given, WORKER_0)).to.deep.equal([
      'k8s-node-controller-0: egress 172.16.43.0/26[udp] 172.16.43.5/32[udp/53]',
    ]);
  });

  it('passes nothing for an endpoint whose own address is borrowed: a pod talks to itself without its host', () => {
    const given = facts({
      hosts: BORROWED,
      shards: [dns(endpoint('172.16.43.5', 'controller-0', 'udp/53'))],
    });
    const { connections } = planHost(given, CONTROLLER_0);
    expect(connections.map(({ name }) => name)).to.deep.equal(['k8s-node-controller-1', 'k8s-node-worker-0']);
  });

  it('gives a prefix of two claimants to the first by name, and both report it', () => {
    const hosts = [...SEED_HOSTS.slice(1), host('controller-0', ['192.168.206.2'], ['172.16.43.0/26'])];
    const given = facts({ hosts, shards: [dns(endpoint('172.16.166.178', 'controller-1', 'udp/53'))] });
    expect(childrenOf(given, CONTROLLER_1)).to.deep.equal([
      'k8s-node-controller-0: ingress 172.16.166.178/32[udp/53] 172.16.43.0/26[udp]',
    ]);
    expect(problemsOf(given, CONTROLLER_0)).to.deep.equal(['PrefixClaimedTwice 172.16.43.0/26']);
    expect(problemsOf(given, WORKER_0)).to.deep.equal(['PrefixClaimedTwice 172.16.43.0/26']);
    expect(problemsOf(given, CONTROLLER_1)).to.be.empty;
  });
});

describe('planHost with both families', () => {
  const DUAL = [
    host('controller-0', ['192.168.206.2', 'fd01::2'], ['172.16.192.64/26', 'fd00::40/122']),
    host('worker-0', ['192.168.206.66', 'fd01::66'], ['172.16.43.0/26', 'fd00::1:0/122']),
  ];
  const shards = [
    dns(endpoint('172.16.192.115', 'controller-0', 'udp/53'), endpoint('fd00::41', 'controller-0', 'udp/53')),
  ];

  it('keeps the families in connections of their own, between addresses of the family', () => {
    const given = facts({ hosts: DUAL, shards });
    expect(childrenOf(given, WORKER_0)).to.deep.equal([
      'k8s-node-controller-0: egress 172.16.43.0/26[udp] 172.16.192.115/32[udp/53]',
      'k8s-node-controller-0-ipv6: egress fd00::1:0/122[udp] fd00::41/128[udp/53]',
    ]);
    expect(planHost(given, WORKER_0).connections[1]).to.include({
      localAddress: 'fd01::66',
      remoteAddress: 'fd01::2',
    });
  });

  it('reports a host without an address of the family at both ends, and keeps the other family', () => {
    const hosts = [
      ...DUAL.slice(0, 1),
      host('worker-0', ['192.168.206.66'], ['172.16.43.0/26', 'fd00::1:0/122']),
    ];
    const given = facts({ hosts, shards });
    for (const self of [CONTROLLER_0, WORKER_0]) {
      expect(problemsOf(given, self)).to.deep.equal(['PeerWithoutAddressFamily worker-0']);
      expect(planHost(given, self).connections).to.have.length(1);
    }
  });

  it('takes the first address of the family by number, in whatever order they are listed', () => {
    const hosts = [
      ...DUAL.slice(0, 1),
      host('worker-0', ['192.168.206.100', '192.168.206.66'], ['172.16.43.0/26']),
    ];
    expect(planHost(facts({ hosts, shards }), WORKER_0).connections[0]).to.include({
      localAddress: '192.168.206.66',
    });
  });

  it('reports nothing about a family in which the hosts share no flow', () => {
    const hosts = [...DUAL.slice(0, 1), host('worker-0', ['192.168.206.66'], ['172.16.43.0/26'])];
    expect(problemsOf(facts({ hosts, shards }), WORKER_0)).to.be.empty;
  });
});

describe('planHost with several services', () => {
  const other = (stage: Stage, state: EndpointState = 'active'): ReturnType<typeof shard> =>
    shard({
      of: 'default/dns-again',
      stages: 'udp/53',
      stage,
      endpoints: [endpoint('172.16.192.115', 'controller-0', 'udp/53', state)],
    });
  const own = (stage: Stage, state: EndpointState = 'active'): ReturnType<typeof shard> =>
    kubeDns({
      stages: 'udp/53',
      stage,
      endpoints: [endpoint('172.16.192.115', 'controller-0', 'udp/53', state)],
    });

  it('has one child for an address and port that two services share, named by the first', () => {
    const given = facts({ shards: [own('enforce'), other('enforce')] });
    const [child, ...rest] = planHost(given, WORKER_0).connections[0]?.children ?? [];
    expect(rest).to.be.empty;
    expect(child?.service).to.deep.equal({ namespace: 'default', name: 'dns-again' });
    expect(child?.shards).to.deep.equal(['default.dns-again.0', 'kube-system.kube-dns.0']);
    expect(planHost(given, WORKER_0).guard.endpoints).to.have.length(1);
  });

  for (const { a, b, egress, ingress } of [
    { a: 'enforce', b: 'release', egress: 'trap', ingress: 'trap' },
    { a: 'enforce', b: 'gone', egress: 'trap', ingress: 'trap' },
    { a: 'protect', b: 'prepare', egress: 'trap', ingress: 'none' },
    { a: 'protect', b: 'release', egress: 'trap', ingress: 'none' },
    { a: 'prepare', b: 'release', egress: 'none', ingress: 'none' },
    { a: 'release', b: 'gone', egress: 'none', ingress: 'none' },
  ] as const)
    it(`takes the stricter stage of ${a} and ${b}, whichever service has it`, () => {
      for (const shards of [
        [own(a), other(b)],
        [own(b), other(a)],
      ]) {
        const actions = [WORKER_0, CONTROLLER_0].map(
          (self) => planHost(facts({ shards }), self).connections.at(-1)?.children[0]?.startAction,
        );
        expect(actions).to.deep.equal([egress, ingress]);
      }
    });

  for (const { a, b, client, here } of [
    { a: 'active', b: 'pending', client: true, here: true },
    { a: 'active', b: 'leaving', client: true, here: true },
    { a: 'pending', b: 'leaving', client: false, here: true },
    { a: 'leaving', b: 'leaving', client: false, here: false },
  ] as const)
    it(`merges ${a} and ${b}`, () => {
      for (const shards of [
        [own('enforce', a), other('enforce', b)],
        [own('enforce', b), other('enforce', a)],
      ]) {
        expect(planHost(facts({ shards }), WORKER_0).connections.length > 0).to.equal(client);
        expect(planHost(facts({ shards }), CONTROLLER_0).connections.length > 0).to.equal(here);
      }
    });

  it('keeps the stage that a leaving service held until it has left', () => {
    const given = facts({ shards: [own('enforce', 'leaving'), other('prepare')] });
    const [child] = planHost(given, WORKER_0).connections[0]?.children ?? [];
    expect(child?.startAction).to.equal('trap');
    expect(child?.shards).to.deep.equal(['default.dns-again.0']);
  });

  it('keeps services of one name in two namespaces apart', () => {
    const second = shard({
      of: 'default/kube-dns',
      stages: 'udp/53',
      endpoints: [endpoint('172.16.192.116', 'controller-0', 'udp/53')],
    });
    const services = planHost(facts({ shards: [dns(), second] }), WORKER_0).connections[0]?.children.map(
      ({ service, flow }) => `${service.namespace} ${flow.endpoint}`,
    );
    expect(services).to.deep.equal(['kube-system 172.16.192.115', 'default 172.16.192.116']);
  });

  it('takes the owner of its block for an address that two services place on two hosts', () => {
    const elsewhere = shard({
      of: 'default/other',
      stages: 'tcp/80',
      endpoints: [endpoint('172.16.192.115', 'controller-1', 'tcp/80')],
    });
    const given = facts({ shards: [dns(), elsewhere] });
    expect(childrenOf(given, WORKER_0)).to.deep.equal([
      'k8s-node-controller-0: egress 172.16.43.0/26[udp] 172.16.192.115/32[udp/53]',
    ]);
    expect(problemsOf(given, CONTROLLER_0)).to.deep.equal(['EndpointHostMismatch 172.16.192.115']);
    expect(problemsOf(given, CONTROLLER_1)).to.deep.equal(['EndpointHostMismatch 172.16.192.115']);
    expect(problemsOf(given, WORKER_0)).to.be.empty;
  });
});

describe('planHost with a host name that cannot be used', () => {
  for (const name of [
    'host.example',
    'local',
    'worker-0-ipv6',
    'my-system-nodes-1',
    'x'.repeat(64),
    'a b',
    '',
  ]) {
    const odd = hostName(name);
    const hosts = [...SEED_HOSTS, host(name, ['192.168.206.9'], ['172.16.9.0/26'])];
    const given = facts({ hosts, shards: [dns(), shardOn(name)] });
    const expected = `UnsupportedHostName ${name}`;

    it(`leaves "${name.slice(0, 20)}" out at both ends and says so`, () => {
      expect(planHost(given, odd).connections).to.be.empty;
      expect(problemsOf(given, odd)).to.deep.equal([expected]);
      for (const self of [CONTROLLER_0, WORKER_0]) {
        expect(problemsOf(given, self)).to.deep.equal([expected]);
        expect(childrenOf(given, self).join()).not.to.contain('172.16.9.');
        expect(childrenOf(given, self)).not.to.be.empty;
      }
    });
  }

  it('says so on that host without any flow, and on others only where they would share one', () => {
    const hosts = [...SEED_HOSTS, host('host.example', ['192.168.206.9'], ['172.16.9.0/26'])];
    expect(problemsOf(facts({ hosts }), hostName('host.example'))).to.have.length(1);
    expect(problemsOf(facts({ hosts }), WORKER_0)).to.be.empty;
  });

  function shardOn(name: string): ReturnType<typeof shard> {
    return shard({
      of: 'default/odd',
      stages: 'tcp/80',
      endpoints: [endpoint('172.16.9.1', name, 'tcp/80')],
    });
  }
});
