// k8s-nodes.conf as the seed's `swanctl --list-sas` implies it, written by hand for kube-dns udp/53: what our
// application must arrive at, and the lab's own proof that charon and the kernel do with it what the seed shows.
import { HOST_NAMES, HOSTS, type HostFacts, type LabHost } from './topology.ts';

/** The pods of kube-dns in the seed. */
export const SEED_DNS: readonly { readonly host: LabHost; readonly address: string }[] = [
  { host: 'controller-0', address: '172.16.192.115' },
  { host: 'controller-1', address: '172.16.166.178' },
];

/** What each host has below `/etc/swanctl/conf.d`. */
export function seedConf(name: LabHost): string {
  const own = HOSTS[name];
  const connections = HOST_NAMES.filter((peer) => peer !== name).map((peer) => connection(own, HOSTS[peer]));
  return `connections {\n${connections.join('')}}\n`;
}

function connection(own: HostFacts, peer: HostFacts): string {
  const egress = SEED_DNS.filter(({ host }) => host === peer.name).map(({ address }) =>
    child('udp_kube-dns_egress', `${own.blocks[0]}[udp]`, `${address}/32[udp/53]`),
  );
  const ingress = SEED_DNS.filter(({ host }) => host === own.name).map(({ address }) =>
    child('udp_kube-dns_ingress', `${address}/32[udp/53]`, `${peer.blocks[0]}[udp]`),
  );
  return `  k8s-node-${peer.name} {
    version = 2
    local_addrs = ${own.cluster}
    remote_addrs = ${peer.cluster}
    proposals = aes128-sha256-prfaesxcbc-modp3072
    mobike = yes
    unique = never
    dpd_delay = 10
    rekey_time = 3600
    reauth_time = 14400
    local {
      auth = pubkey
      id = "CN=ipsec-${own.name}"
    }
    remote {
      auth = pubkey
      id = "CN=ipsec-${peer.name}"
    }
    children {
${[...egress, ...ingress].join('')}    }
  }
`;
}

function child(name: string, localTs: string, remoteTs: string): string {
  return `      ${name} {
        mode = tunnel
        esp_proposals = aes128gcm16
        rekey_time = 3600
        start_action = trap
        local_ts = ${localTs}
        remote_ts = ${remoteTs}
        priority = 100000
      }
`;
}

/** As the seed's listing sees a flow from one host. */
export type Direction = 'egress' | 'ingress';

/** The seed's six listings: a host, its peer, and the directions of udp/53 between them. */
export const VIEWS: readonly (readonly [LabHost, LabHost, readonly Direction[]])[] = [
  ['controller-0', 'controller-1', ['egress', 'ingress']],
  ['controller-0', 'worker-0', ['ingress']],
  ['controller-1', 'controller-0', ['egress', 'ingress']],
  ['controller-1', 'worker-0', ['ingress']],
  ['worker-0', 'controller-0', ['egress']],
  ['worker-0', 'controller-1', ['egress']],
];

/** The two lines of selectors in such a listing. */
export function selectors(host: LabHost, peer: LabHost, direction: Direction): string {
  const server = SEED_DNS.find((pod) => pod.host === (direction === 'egress' ? peer : host))?.address ?? '';
  const [client] = HOSTS[direction === 'egress' ? host : peer].blocks;
  return direction === 'egress'
    ? `local  ${client}[udp]\n    remote ${server}/32[udp/domain]`
    : `local  ${server}/32[udp/domain]\n    remote ${client}[udp]`;
}
