// The lab's world as constants: three hosts as in the platform's own examples, their networks, addresses and IPAM
// blocks. network.ts builds it, platform-conf.ts configures charon for it, cluster.ts writes it into the API.

export const HOST_NAMES = ['controller-0', 'controller-1', 'worker-0'] as const;
export type LabHost = (typeof HOST_NAMES)[number];

export interface HostFacts {
  readonly name: LabHost;
  /** Distinguishes interfaces and MAC addresses; the last byte of the host's addresses. */
  readonly number: number;
  readonly oam: string;
  readonly management: string;
  readonly cluster: string;
  readonly cluster6: string;
  /** The host's first IPAM blocks, IPv4 then IPv6. */
  readonly blocks: readonly [string, string];
}

export const HOSTS: Readonly<Record<LabHost, HostFacts>> = {
  'controller-0': hostFacts('controller-0', 2, ['172.16.192.64/26', 'fd00:172:16:0:8e22:765f:6121:eb40/122']),
  'controller-1': hostFacts('controller-1', 3, [
    '172.16.166.128/26',
    'fd00:172:16:0:a4ce:fec1:5423:e300/122',
  ]),
  'worker-0': hostFacts('worker-0', 66, ['172.16.43.0/26', 'fd00:172:16:0:d01e:82a4:1c34:6bc0/122']),
};

export const POD_POOLS = ['172.16.0.0/16', 'fd00:172:16::/64'] as const;
export const MANAGEMENT_NETWORK = '192.168.204.0/24';
/** Where the test process and the API server are, seen from the guest. */
export const OUTSIDE_ADDRESS = '10.10.10.1';
export const GUEST_ADDRESS = '10.10.10.9';
/** The guest itself on the cluster-host network; only captures send there. */
export const GUEST_CLUSTER_ADDRESS = '192.168.206.254';

/** The bridges in the guest's own namespace; each host has one leg, named like the network, on each. */
export const NETWORKS = ['oam', 'mgmt', 'cluster'] as const;
export type LabNetwork = (typeof NETWORKS)[number];

/** Locally administered, so that a captured frame tells its host. */
export function macAddress(host: HostFacts, network: LabNetwork): string {
  const byte = host.number.toString(16).padStart(2, '0');
  return `02:00:00:00:0${NETWORKS.indexOf(network)}:${byte}`;
}

/** Everyone but `host`. */
export function peersOf(host: LabHost): readonly HostFacts[] {
  return HOST_NAMES.filter((name) => name !== host).map((name) => HOSTS[name]);
}

function hostFacts(name: LabHost, number: number, blocks: readonly [string, string]): HostFacts {
  return {
    name,
    number,
    oam: `10.10.10.${number}`,
    management: `192.168.204.${number}`,
    cluster: `192.168.206.${number}`,
    cluster6: `fd00:206::${number}`,
    blocks,
  };
}
