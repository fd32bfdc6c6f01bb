// Services of every kind, and what becomes of them: which children the hosts load, that traffic is in ESP and not in plaintext,
// what a user is told. After every case a platform `--load-all` must find all as it was, and tunnels in use keep their SPIs.
import { expect } from 'chai';
import type { KubeObject } from './lab/api.ts';
import { calico, typed } from './lab/cluster.ts';
import type { PolicyRow } from './lab/operator.ts';
import type { PodSpec, ServiceSpec } from './lab/pod-objects.ts';
import type { PodKey } from './lab/places.ts';
import { CLIENTS, openScene, poll, type Flow, type Scene } from './lab/scene.ts';
import { checksumSctpInSoftware } from './lab/sctp.ts';
import { HOST_NAMES, HOSTS, type LabHost } from './lab/topology.ts';
import type { Talk, TransportProtocol } from './lab/traffic.ts';
import {
  blockAffinityObject,
  calicoName,
  ipamBlockObject,
  nodeObject,
  nodeStatus,
} from '../support/kubernetes-objects.ts';

/** Two pods serve most of the services; the others are there for their namespaces. */
const FIRST = { host: 'controller-0', address: '172.16.192.100' } as const;
const SECOND = { host: 'controller-1', address: '172.16.166.150' } as const;
const IN_0 = { host: 'worker-0', address: '172.16.43.10' } as const;
const IN_A = { host: 'worker-0', address: '172.16.43.11' } as const;
const IN_A_B = { host: 'worker-0', address: '172.16.43.12' } as const;

const POLICY = 'services';
const ROWS: readonly PolicyRow[] = [
  row('named', 'tcp/80'),
  row('odd', 'tcp/666'),
  row('even', 'tcp/6668'),
  row('headless', 'udp/7300'),
  row('signal', 'sctp/36412'),
  row('web', 'tcp/443,tcp/8443'),
  row('gossip', 'udp/7946'),
  row('c', 'udp/7401', 'a'),
  row('c', 'udp/7402', 'a-b'),
  row('b-c', 'udp/7403', '0'),
  row('b-c', 'udp/7404', 'a'),
  row('system-nodes', 'udp/7405', 'a'),
];

describe('services', () => {
  let scene: Scene;

  before(async function () {
    this.timeout(240_000);
    scene = await openScene();
    await addPods();
    await addServices();
  });
  afterEach(async () => scene.expectUntouched());
  after(async () => scene.close());

  async function addPods(): Promise<void> {
    const labels = Object.fromEntries(
      ['odd', 'headless', 'web', 'named', 'gossip', 'hosts', 'nameless'].map((app) => [app, 'yes']),
    );
    const first = await addPod(FIRST, {
      name: 'first',
      labels,
      ports: [{ name: 'http', containerPort: 7181 }],
    });
    await serve(first, 'tcp', FIRST, [443, 6666, 7181, 8443]);
    await serve(first, 'udp', FIRST, [7300, 7500, 7501, 7946]);
    const second = await addPod(SECOND, {
      name: 'second',
      labels: { even: 'yes', named: 'yes', signal: 'yes', gossip: 'yes' },
      ports: [{ name: 'http', containerPort: 7182 }],
    });
    await serve(second, 'tcp', SECOND, [6668, 7182]);
    await serve(second, 'sctp', SECOND, [36412]);
    await serve(second, 'udp', SECOND, [7946]);
    for (const [place, namespace, ports] of [
      [IN_0, '0', [7403]],
      [IN_A, 'a', [7401, 7404, 7405]],
      [IN_A_B, 'a-b', [7402]],
    ] as const) {
      const labels = { c: 'yes', 'b-c': 'yes', 'system-nodes': 'yes' };
      await serve(await addPod(place, { name: 'pod', namespace, labels }), 'udp', place, ports);
    }
  }

  async function addServices(): Promise<void> {
    for (const service of [
      tcp('named', 80, 'http'),
      tcp('odd', 666, 6666),
      tcp('even', 668, 6668),
      { ...udp('headless', 7300), spec: { clusterIP: 'None' } },
      { name: 'signal', selector: { signal: 'yes' }, ports: [{ port: 36412, protocol: 'SCTP' }] },
      { ...tcp('web', 443), ports: [{ port: 443 }, { port: 8443 }] },
      udp('gossip', 7946),
      udp('c', 7401, 'a'),
      udp('c', 7402, 'a-b'),
      udp('b-c', 7403, '0'),
      udp('b-c', 7404, 'a'),
      udp('system-nodes', 7405, 'a'),
    ] as const)
      await scene.lab.addService(service);
  }

  function addPod(
    { host, address }: { readonly host: LabHost; readonly address: string },
    more: Omit<PodSpec, 'host' | 'addresses'>,
  ): Promise<PodKey> {
    return scene.lab.addPod({ host, addresses: [address], ...more });
  }

  async function serve(
    pod: PodKey,
    protocol: TransportProtocol,
    { address }: { readonly address: string },
    ports: readonly number[],
  ): Promise<void> {
    await Promise.all(ports.map((port) => scene.lab.serveEcho(pod, protocol, address, port)));
  }

  async function eventReasons(policy: string): Promise<readonly unknown[]> {
    const events = await scene.lab.api.list('/apis/events.k8s.io/v1/events');
    return events.filter((event) => regards(event, policy)).map((event) => event['reason']);
  }

  describe('before their policy', () => {
    it('are plain', async () => {
      await scene.expectPlain([
        talk('worker-0', 'udp', FIRST, 7300),
        talk('controller-1', 'udp', FIRST, 7946),
      ]);
    });
  });

  describe('in a policy', () => {
    before(async () => {
      await scene.op.applyPolicy(POLICY, ROWS);
      await scene.untilCondition(POLICY, 'Programmed', 'True');
    });

    it('with a named target port: every pod by its own number', async () => {
      await scene.untilFlows(/_named_/, [
        ...flows('tcp_named', FIRST, 'tcp/7181'),
        ...flows('tcp_named', SECOND, 'tcp/7182'),
      ]);
      await scene.expectInEsp([
        talk('worker-0', 'tcp', FIRST, 7181),
        talk('controller-0', 'tcp', SECOND, 7182),
      ]);
    });

    it('with port 666 and target port 6666: the policy may name either', async () => {
      await scene.untilFlows(/_(odd|even)_/, [
        ...flows('tcp_odd', FIRST, 'tcp/6666'),
        ...flows('tcp_even', SECOND, 'tcp/6668'),
      ]);
      const service = await scene.lab.api.get('/api/v1/namespaces/default/services/odd');
      const { clusterIP } = service['spec'] as { clusterIP: string };
      await scene.lab.kubeProxies?.ready(clusterIP, 666);
      await scene.expectInEsp([
        talk('worker-0', 'tcp', { address: clusterIP }, 666),
        talk('worker-0', 'tcp', SECOND, 6668),
      ]);
    });

    it('without a cluster IP', async () => {
      await scene.untilFlows(/_headless_/, flows('udp_headless', FIRST, 'udp/7300'));
      await scene.expectInEsp([talk('worker-0', 'udp', FIRST, 7300)]);
    });

    it('over sctp', async () => {
      await scene.untilFlows(/_signal_/, flows('sctp_signal', SECOND, 'sctp/36412'));
      for (const pod of ['default/second', CLIENTS['worker-0'].from] as const)
        await checksumSctpInSoftware(scene.lab, pod);
      await scene.expectInEsp([talk('worker-0', 'sctp', SECOND, 36412)]);
    });

    it('on ports that the platform lets pass, 443 and 8443', async () => {
      await scene.untilFlows(/_web_/, [
        ...flows('tcp_web', FIRST, 'tcp/https'),
        ...flows('tcp_web', FIRST, 'tcp/8443', '-2'),
      ]);
      await scene.expectInEsp([
        talk('worker-0', 'tcp', FIRST, 443),
        talk('controller-1', 'tcp', FIRST, 8443),
      ]);
    });

    it('whose endpoints talk to each other with equal source and destination port', async () => {
      const gossip = { protocol: 'udp', sourcePort: 7946, port: 7946 } as const;
      const [first, second] = ['default/first', 'default/second'] as const;
      await scene.expectInEsp([{ ...gossip, from: first, source: FIRST.address, address: SECOND.address }]);
      await scene.expectInEsp([{ ...gossip, from: second, source: SECOND.address, address: FIRST.address }]);
    });

    it('of one name in two namespaces, and with names that meet across namespaces', async () => {
      await scene.untilFlows(/_(c|b-c|system.nodes)_/, [
        ...flows('udp_c', IN_A, 'udp/7401'),
        ...flows('udp_a-b_c', IN_A_B, 'udp/7402'),
        ...flows('udp_b-c', IN_0, 'udp/7403'),
        ...flows('udp_a_b-c', IN_A, 'udp/7404'),
        ...flows('udp_system_nodes', IN_A, 'udp/7405'),
      ]);
      await scene.expectInEsp([
        talk('controller-0', 'udp', IN_A, 7401),
        talk('controller-0', 'udp', IN_A_B, 7402),
        talk('controller-1', 'udp', IN_0, 7403),
        talk('controller-1', 'udp', IN_A, 7404),
        talk('controller-0', 'udp', IN_A, 7405),
      ]);
    });

    it('leave other services of their pods, and their own other ports, plain and without an event', async () => {
      await scene.lab.addService({ ...udp('open', 7500), selector: { odd: 'yes' } });
      await scene.expectPlain([
        talk('worker-0', 'udp', FIRST, 7500),
        talk('controller-1', 'udp', FIRST, 7501),
      ]);
    });
  });

  describe('that cannot be protected', () => {
    it('say so: pods in the network of a host', async () => {
      await scene.lab.addPod({
        host: 'worker-0',
        name: 'in-host',
        addresses: [HOSTS['worker-0'].cluster],
        hostNetwork: true,
        labels: { hosts: 'yes' },
      });
      await scene.lab.addService(udp('hosts', 7600));
      await scene.op.applyPolicy('hosts', [row('hosts', 'udp/7600')]);
      const { reason } = await scene.untilCondition(
        'hosts',
        'ResolvedRefs',
        'False',
        `in a host's own network and stay unprotected: ${HOSTS['worker-0'].cluster}. Run these pods without hostNetwork.`,
      );
      expect(reason).to.equal('EndpointOnHostNetwork');
      await scene.untilCondition('hosts', 'Programmed', 'True');
      await scene.untilFlows(/_hosts_/, flows('udp_hosts', FIRST, 'udp/7600'));
    });

    it('say so: ExternalName, and ports that lead nowhere', async () => {
      await scene.lab.addService({
        name: 'away',
        ports: [{ port: 7700 }],
        spec: { type: 'ExternalName', externalName: 'registry.example.com' },
      });
      await scene.lab.addService({
        name: 'nameless',
        selector: { nameless: 'yes' },
        ports: [{ port: 7701, protocol: 'UDP', targetPort: 'nobody-has-it' }],
      });
      await scene.op.applyPolicy('wrong', [
        row('away', 'tcp/7700'),
        row('nameless', 'udp/7701'),
        row('odd', 'tcp/1'),
      ]);
      const { message } = await scene.untilCondition(
        'wrong',
        'ResolvedRefs',
        'False',
        'default/away is of type ExternalName',
      );
      expect(message).to.include('Service default/nameless has no port udp/7701 that leads to a pod');
      expect(message).to.include('Service default/odd has no port tcp/1 that leads to a pod; it has tcp/666');
      await scene.untilCondition('wrong', 'Programmed', 'False');
      await poll(
        'events say so too',
        () => eventReasons('wrong'),
        (reasons) => ['ExternalNameService', 'PortNotFound'].every((reason) => reasons.includes(reason)),
      );
      expect((await scene.childrenOf(/_(away|nameless)_/))['controller-1']).to.deep.equal([]);
    });

    it('are refused where the text is wrong, with what to write', async () => {
      for (const [rows, says] of REFUSED)
        expect(
          await refusal(scene.op.applyPolicy('refused', rows)),
          JSON.stringify(rows).slice(0, 80),
        ).to.include(says);
      const policies = await scene.lab.api.list('/apis/starlingx.io/v1/ipsecpolicies');
      expect(policies.map(({ metadata }) => metadata.name)).not.to.include('refused');
    });
  });

  describe('that come and go', () => {
    const servers = [
      { host: 'controller-0', address: '172.16.192.110' },
      { host: 'controller-0', address: '172.16.192.111' },
      { host: 'worker-0', address: '172.16.43.20' },
    ] as const;
    const [one, two, three] = servers;

    it('after their policy: it waits for them', async () => {
      await scene.op.applyPolicy('later', [row('later', 'udp/7800'), row('twin', 'udp/7800')]);
      await scene.untilCondition('later', 'ResolvedRefs', 'False', 'Service default/later does not exist.');
      const { reason } = await scene.untilCondition('later', 'Programmed', 'False');
      expect(reason).to.equal('ServiceNotFound');
      await scene.lab.addService(udp('later', 7800));
      await scene.lab.addService({ ...udp('twin', 7800), selector: { twin: 'yes' } });
      await scene.untilCondition('later', 'Programmed', 'True');
    });

    it('from no endpoint to three, two of them on one host', async () => {
      for (const [index, server] of servers.entries()) {
        const labels = { later: 'yes', ...(index === 0 ? { twin: 'yes' } : {}) };
        const pod = await addPod(server, { name: `later-${index}`, labels });
        await serve(pod, 'udp', server, [7800]);
      }
      await scene.untilFlows(/_later_/, [
        ...flows('udp_later', one, 'udp/7800'),
        ...flows('udp_later', two, 'udp/7800', '-2'),
        ...flows('udp_later', three, 'udp/7800'),
      ]);
      await scene.untilCondition('later', 'Programmed', 'True');
      await scene.expectInEsp([
        talk('worker-0', 'udp', one, 7800),
        talk('worker-0', 'udp', two, 7800),
        talk('controller-1', 'udp', one, 7800),
        talk('controller-1', 'udp', three, 7800),
      ]);
    });

    it('back to one: what stays keeps its SAs', async () => {
      const before = await scene.spisOf(/_later_(egress|ingress)$/);
      await scene.lab.removePod('default/later-1');
      await scene.lab.removePod('default/later-2');
      await scene.untilFlows(/_later_/, flows('udp_later', one, 'udp/7800'));
      await scene.untilCondition('later', 'Programmed', 'True');
      await scene.expectInEsp([talk('worker-0', 'udp', one, 7800)]);
      expect(await scene.spisOf(/_later_/)).to.deep.equal(before.filter((sa) => sa.includes('controller-0')));
    });

    it('two that share an endpoint and port: one child, which outlives either', async () => {
      await scene.untilFlows(/_(later|twin)_/, flows('udp_later', one, 'udp/7800'));
      const before = await scene.spisOf(/_later_/);
      await scene.lab.removeService('default', 'later');
      await scene.untilCondition('later', 'ResolvedRefs', 'False', 'Service default/later does not exist.');
      await scene.untilSettled();
      await scene.expectInEsp([talk('worker-0', 'udp', one, 7800)]);
      expect(await scene.spisOf(/_(later|twin)_/)).to.deep.equal(before);
    });

    it('deleted and made again', async () => {
      await scene.lab.removeService('default', 'twin');
      await scene.untilFlows(/_(later|twin)_/, []);
      await scene.lab.addService(udp('later', 7800));
      await scene.untilFlows(/_(later|twin)_/, flows('udp_later', one, 'udp/7800'));
      await scene.expectInEsp([talk('worker-0', 'udp', one, 7800), talk('controller-1', 'udp', one, 7800)]);
    });
  });

  describe('beside a host whose name cannot be part of ours', () => {
    const name = 'edge.example';
    const block = '172.16.99.0/26';

    it('are protected on all other hosts, and that one is named', async () => {
      const { api } = scene.lab;
      await api.apply(typed('v1', 'Node', nodeObject(name)));
      await api.patchStatus(
        typed('v1', 'Node', { metadata: { name }, ...nodeStatus(['192.168.206.99'], false) }),
      );
      await api.apply(calico('IPAMBlock', ipamBlockObject(block, name)));
      await api.apply(calico('BlockAffinity', blockAffinityObject(block, name)));
      await scene.untilCondition(
        POLICY,
        'Programmed',
        'False',
        `${name} cannot be part of a connection's name`,
      );
      await scene.expectUntouched();
      await scene.expectInEsp([talk('worker-0', 'tcp', FIRST, 6666)]);
      await api.remove(calico('BlockAffinity', blockAffinityObject(block, name)));
      await api.remove(calico('IPAMBlock', { metadata: { name: calicoName(block) } }));
      await api.remove(typed('v1', 'Node', { metadata: { name } }));
      await scene.untilCondition(POLICY, 'Programmed', 'True');
    });
  });

  describe('when all policies are deleted', () => {
    it('leave nothing behind', async () => {
      await scene.expectAllGone();
    });
  });
});

const REFUSED: readonly (readonly [readonly PolicyRow[], string])[] = [
  ...['tcp', '/53', 'tcp/0', 'tcp/65536', 'TCP/53', 'icmp/1', 'tcp/53,,udp/53', 'tcp/53, udp/53'].map(
    (ports) => [[row('odd', ports)], 'write protocol/port pairs separated by single commas'] as const,
  ),
  [[row('a}b', 'tcp/1')], 'as "kubectl get services" shows it'],
  [[row('odd', 'tcp/1', '../a')], 'as "kubectl get namespaces" shows it'],
  [[row('odd', 'tcp/1'), row('odd', 'tcp/2')], 'two rows have the same name'],
  [[], 'the list is empty'],
];

async function refusal(request: Promise<unknown>): Promise<string> {
  return request.then(
    () => 'accepted',
    (error: unknown) => String(error),
  );
}

/** Named after both, so that a policy may have two services of one name. */
function row(servicename: string, serviceports: string, servicens = 'default'): PolicyRow {
  return { name: `${servicens}.${servicename}`, servicename, servicens, serviceports };
}

/** Its pods carry the service's name as a label. */
function tcp(name: string, port: number, targetPort?: number | string): ServiceSpec {
  return {
    name,
    selector: { [name]: 'yes' },
    ports: [{ port, ...(targetPort === undefined ? {} : { targetPort }) }],
  };
}

function udp(name: string, port: number, namespace = 'default'): ServiceSpec {
  return { name, namespace, selector: { [name]: 'yes' }, ports: [{ port, protocol: 'UDP' }] };
}

/** The flows of every other host's pods towards an endpoint. */
function flows(
  name: string,
  { host, address }: { readonly host: LabHost; readonly address: string },
  port: string,
  suffix = '',
): Flow[] {
  return HOST_NAMES.filter((client) => client !== host).map((client) => ({
    ...{ name, suffix, host, endpoint: address, port, client },
    clientPrefix: HOSTS[client].blocks[0],
  }));
}

function talk(
  client: LabHost,
  protocol: TransportProtocol,
  { address }: { readonly address: string },
  port: number,
): Talk {
  return { ...CLIENTS[client], protocol, address, port };
}

function regards(event: KubeObject, policy: string): boolean {
  return (event['regarding'] as { readonly name?: string }).name === policy;
}
