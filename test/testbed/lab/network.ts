// Builds hosts and pods out of namespaces in the guest, as Calico would: a veth `cali*` and a host route for each
// pod, a route for each other host's block. Which pods exist is pods.ts's business.
import { createHash } from 'node:crypto';
import { STRONGSWAN_CONF } from './platform-conf.ts';
import { podNetns, type Places, type PodKey } from './places.ts';
import {
  GUEST_CLUSTER_ADDRESS,
  HOST_NAMES,
  HOSTS,
  macAddress,
  NETWORKS,
  OUTSIDE_ADDRESS,
  peersOf,
  type HostFacts,
  type LabHost,
  type LabNetwork,
} from './topology.ts';

/** Namespaces, interfaces and first routes of the three hosts. */
export async function buildHosts(places: Places): Promise<void> {
  const script = `${buildScript(HOST_NAMES)}\nip addr add ${GUEST_CLUSTER_ADDRESS}/24 dev br-cluster`;
  await places.run('guest', ['bash', '-e'], { input: script });
}

/** As a power cycle leaves it: no program, no pod's interface, nothing in its kernel but first routes; its files are as they were. */
export async function rebuildHost(places: Places, name: LabHost): Promise<void> {
  const folder = '/etc/swanctl';
  const files = await places.run(name, ['bash', '-c', `tar -C ${folder} -cf - . | base64`]);
  places.forget(name);
  const script = `
ip netns pids ${name} | xargs -r kill -9
${NETWORKS.map((network) => `ip link del ${network}-${HOSTS[name].number}`).join('\n')}
ip netns del ${name}
umount /run/ns/${name}.mnt /run/ns/${name}.uts
${buildScript([name])}`;
  await places.run('guest', ['bash', '-e'], { input: script });
  await places.run(name, ['bash', '-e'], {
    input: `base64 -d <<'.' | tar -C ${folder} -xf -\n${files.trimEnd()}\n.\n`,
  });
}

/** Namespaces, interfaces and first routes of these hosts. */
function buildScript(names: readonly LabHost[]): string {
  const routes = HOST_NAMES.flatMap((owner) =>
    HOSTS[owner].blocks.flatMap((block) => blockRoutes(owner, block, 'add')),
  );
  return [
    ...names.map((name) => hostScript(HOSTS[name])),
    routeScript(routes.filter(({ on }) => names.includes(on))),
  ].join('\n');
}

/** Every other host sends what is for the block to its owner; the owner itself has the blackhole that Calico puts there. */
export async function routeBlock(
  places: Places,
  owner: LabHost,
  prefix: string,
  action: 'add' | 'del',
): Promise<void> {
  await places.run('guest', ['bash', '-e'], { input: routeScript(blockRoutes(owner, prefix, action)) });
}

interface RouteLine {
  readonly on: LabHost;
  readonly line: string;
}

function blockRoutes(owner: LabHost, prefix: string, action: 'add' | 'del'): RouteLine[] {
  const borrowed = prefix.endsWith('/32') || prefix.endsWith('/128');
  const own = borrowed ? [] : [{ on: owner, line: `route ${action} blackhole ${prefix} proto 80` }];
  const others = peersOf(owner).map((peer) => ({
    on: peer.name,
    line: `route ${action} ${prefix} via ${via(owner, prefix)} proto 80`,
  }));
  return [...own, ...others];
}

/** One `ip` for each host: starting a program is what costs time in the guest. */
function routeScript(routes: readonly RouteLine[]): string {
  const scripts = HOST_NAMES.map((name) => {
    const lines = routes.filter(({ on }) => on === name).map(({ line }) => line);
    return lines.length === 0 ? '' : `ip -n ${name} -batch - <<'.'\n${lines.join('\n')}\n.\n`;
  });
  return scripts.join('');
}

export interface PodNetwork {
  readonly key: PodKey;
  readonly host: LabHost;
  readonly addresses: readonly string[];
}

/** The pod's end has /32 (/128) addresses and a default route to the host, which answers for everything. */
export async function plugPod(places: Places, pod: PodNetwork): Promise<void> {
  const netns = podNetns(pod.key);
  const cali = caliName(pod.key);
  const inPod = pod.addresses.map((address) => {
    const [gateway, nodad] = address.includes(':')
      ? ['fe80::ecee:eeff:feee:eeee', 'nodad']
      : ['169.254.1.1', ''];
    return `addr add ${address} dev eth0 ${nodad}\nroute add default via ${gateway} dev eth0 onlink\n`;
  });
  const onHost = pod.addresses.map((address) => `route add ${address} dev ${cali} proto 80\n`);
  const script = `
ip netns add ${netns}
ip -n ${pod.host} -batch - <<'.'
link add ${cali} address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns ${netns}
link set ${cali} up
${onHost.join('')}.
ip -n ${netns} -batch - <<'.'
link set lo up
link set eth0 up
${inPod.join('')}.`;
  await places.run('guest', ['bash', '-e'], { input: script });
}

/** Everything that runs in the pod ends with it. */
export async function unplugPod(places: Places, pod: PodNetwork): Promise<void> {
  const netns = podNetns(pod.key);
  places.forget(pod.key);
  const script = `
ip netns pids ${netns} | grep -vx "$PPID" | xargs -r kill -9
ip -n ${pod.host} link del ${caliName(pod.key)}
ip netns del ${netns}`;
  await places.run('guest', ['bash', '-e'], { input: script });
}

/** As Calico names it: `cali` and eleven hexadecimal digits of a hash of the pod. */
export function caliName(pod: PodKey): string {
  return `cali${createHash('sha1').update(pod.replace('/', '.')).digest('hex').slice(0, 11)}`;
}

/** Stops (or lets through again) what two hosts send each other on the cluster-host network, silently. */
export async function setCut(places: Places, between: [LabHost, LabHost], cut: boolean): Promise<void> {
  const table = `cut-${between.toSorted().join('-')}`;
  const a = macAddress(HOSTS[between[0]], 'cluster');
  const b = macAddress(HOSTS[between[1]], 'cluster');
  const drop = (from: string, to: string): string => `    ether saddr ${from} ether daddr ${to} drop\n`;
  const rules = `table bridge ${table} {
  chain forward {
    type filter hook forward priority 0
${drop(a, b)}${drop(b, a)}  }
}`;
  const command = cut ? ['nft', rules] : ['nft', `delete table bridge ${table}`];
  await places.run('guest', command);
}

function via(owner: LabHost, prefix: string): string {
  return prefix.includes(':') ? HOSTS[owner].cluster6 : HOSTS[owner].cluster;
}

function hostScript(host: HostFacts): string {
  const { name } = host;
  const outer = (network: LabNetwork): string => `${network}-${host.number}`;
  const link = (network: LabNetwork): string =>
    `link add ${outer(network)} type veth peer name ${network} address ${macAddress(host, network)} netns ${name}
link set ${outer(network)} master br-${network} up`;
  const address = { oam: host.oam, mgmt: host.management, cluster: host.cluster };
  const leg = (network: LabNetwork): string =>
    `link set ${network} up\naddr add ${address[network]}/24 dev ${network}`;
  return `
ip netns add ${name}
ip -batch - <<'.'
${NETWORKS.map(link).join('\n')}
.
ip -n ${name} -batch - <<'.'
link set lo up
${NETWORKS.map(leg).join('\n')}
addr add ${host.cluster6}/64 dev cluster nodad
route add default via ${OUTSIDE_ADDRESS} dev oam
.
touch /run/ns/${name}.mnt /run/ns/${name}.uts
nsenter --net=/run/netns/${name} unshare --mount=/run/ns/${name}.mnt --uts=/run/ns/${name}.uts \\
  --propagation private bash -e <<'EOF'
hostname ${name}
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.default.proxy_arp=1
mount -t tmpfs tmpfs /run
cat > /run/strongswan.conf <<'.'
${STRONGSWAN_CONF}.
mount --bind /run/strongswan.conf /etc/strongswan.conf
mount -t tmpfs tmpfs /etc/swanctl
mkdir -p /run/lock /etc/swanctl/{conf.d,x509,x509ca,private,rsa,ecdsa,pkcs8,pkcs12,pubkey,x509aa,x509ac,x509crl,x509ocsp,bliss}
EOF
`;
}
