// Host configurations for tests: a pool of flows with one fixed child each, and arbitrary configurations out of it.
import fc from 'fast-check';
import { DEFAULT_PARAMETERS } from '../../app/domain/facts.ts';
import type {
  Child,
  ChildName,
  Connection,
  ConnectionName,
  HostConfig,
  LocalConnection,
  PeerConnection,
} from '../../app/domain/host-config.ts';
import { LOCAL_CONNECTION } from '../../app/domain/names.ts';
import { compareText } from '../../app/domain/problem.ts';
import { parseSelector } from '../../app/swanctl/selector-text.ts';
import { address } from './facts-builders.ts';

/** `child('udp_kube-dns_egress', '172.16.192.64/26[udp]', '172.16.166.178/32[udp/53]')`, a trap unless told. */
export function child(name: string, localTs: string, remoteTs: string, changes: Partial<Child> = {}): Child {
  const [local, remote] = [parseSelector(localTs), parseSelector(remoteTs)];
  if (local === undefined || remote === undefined) throw new Error(`not selectors: ${localTs} ${remoteTs}`);
  return {
    name: name as ChildName,
    mode: 'tunnel',
    localTs: local,
    remoteTs: remote,
    priority: 100012,
    startAction: 'trap',
    ...changes,
  };
}

/** A connection of controller-0 to `peer`. */
export function peer(
  name: string,
  children: readonly Child[],
  changes: Partial<PeerConnection> = {},
): PeerConnection {
  return {
    kind: 'peer',
    name: `k8s-node-${name}` as ConnectionName,
    localAddress: address('192.168.206.2'),
    remoteAddress: address('192.168.206.3'),
    localCommonName: 'ipsec-controller-0',
    remoteCommonName: `ipsec-${name}`,
    parameters: DEFAULT_PARAMETERS,
    ...changes,
    children: children.toSorted((a, b) => compareText(a.name, b.name)),
  };
}

export function local(children: readonly Child[]): LocalConnection {
  return { kind: 'local', name: LOCAL_CONNECTION, children };
}

export function config(...connections: readonly Connection[]): HostConfig {
  return {
    networkUid: 'network-1',
    connections: connections.toSorted((a, b) => compareText(a.name, b.name)),
  };
}

export const DNS_EGRESS = child('udp_kube-dns_egress', '172.16.192.64/26[udp]', '172.16.166.178/32[udp/53]');
export const DNS_INGRESS = child(
  'udp_kube-dns_ingress',
  '172.16.192.115/32[udp/53]',
  '172.16.166.128/26[udp]',
);
export const METRICS_EGRESS = child(
  'tcp_kube-dns_egress',
  '172.16.192.64/26[tcp]',
  '172.16.166.178/32[tcp/9153]',
);
export const BORROWED = child('udp_kube-dns_ingress', '172.16.192.115/32[udp/53]', '172.16.166.180/32[udp]', {
  mode: 'pass',
  priority: 100000,
});

const CHILDREN = [DNS_EGRESS, DNS_INGRESS, METRICS_EGRESS];
const CHILDREN_IPV6 = [
  child('tcp_web_egress', 'fd00::40/122[tcp]', 'fd00::7/128[tcp/443]'),
  child('sctp_app_ingress-2', 'fd00::41/128[sctp/65535]', 'fd00::/122[sctp]'),
];

const someChildren = (pool: readonly Child[]): fc.Arbitrary<Child[]> =>
  fc
    .tuple(fc.subarray([...pool], { minLength: 1 }), fc.constantFrom('none' as const, 'trap' as const))
    .map(([children, startAction]) => children.map((item) => ({ ...item, startAction })));

const someParameters = fc.constantFrom(
  DEFAULT_PARAMETERS,
  DEFAULT_PARAMETERS,
  {
    ...DEFAULT_PARAMETERS,
    ikeProposal: 'aes256gcm16-prfsha384-ecp384',
    caId: 'C=CA, O=StarlingX, CN=ca #1 {x}',
  },
  { ...DEFAULT_PARAMETERS, espProposal: 'aes256gcm16', childRekeySeconds: 1800 },
);

const someLoadedAt = fc.constantFrom({}, { loadedAt: '2026-11-24T11:14:00.123Z' });

const somePeer = (
  name: string,
  pool: readonly Child[],
  addresses: Partial<PeerConnection>,
): fc.Arbitrary<Connection> =>
  fc
    .tuple(someChildren(pool), someParameters, someLoadedAt)
    .map(([children, parameters, loadedAt]) =>
      peer(name, children, { ...addresses, parameters, ...loadedAt }),
    );

/** Up to four connections of both families and a local one; also none. */
export const someHostConfig: fc.Arbitrary<HostConfig> = fc
  .tuple(
    fc.option(somePeer('controller-1', CHILDREN, {})),
    fc.option(somePeer('worker-0', CHILDREN, { remoteAddress: address('192.168.206.66') })),
    fc.option(
      somePeer('worker-0-ipv6', CHILDREN_IPV6, {
        localAddress: address('fd01::2'),
        remoteAddress: address('fd01::42'),
        remoteCommonName: 'ipsec-worker-0',
      }),
    ),
    fc.option(fc.constant(local([BORROWED]))),
  )
  .map((connections) => config(...connections.filter((connection) => connection !== null)));
