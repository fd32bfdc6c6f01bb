// The services of the description in the lab: kube-dns on both controllers with a real DNS server, cm-cert-manager without
// traffic, and a client pod on every host.
import type { Lab } from './lab.ts';
import { SEED_DNS } from './seed-conf.ts';
import { HOST_NAMES, type LabHost } from './topology.ts';

export const DNS_NAME = 'registry.local';
export const DNS_ANSWER = ['10.10.10.1'] as const;

const CLIENT_ADDRESSES: Readonly<Record<LabHost, string>> = {
  'controller-0': '172.16.192.70',
  'controller-1': '172.16.166.130',
  'worker-0': '172.16.43.5',
};

/** Gives the cluster IP of kube-dns, as the API server has chosen it. */
export async function addSeedServices(lab: Lab): Promise<{ readonly dnsClusterIp: string }> {
  const kubeDns = await lab.addService({
    name: 'kube-dns',
    namespace: 'kube-system',
    selector: { 'k8s-app': 'kube-dns' },
    ports: [
      { port: 53, protocol: 'UDP' },
      { port: 53, protocol: 'TCP' },
      { port: 9153, protocol: 'TCP' },
    ],
  });
  await lab.addService({
    name: 'cm-cert-manager',
    namespace: 'cert-manager',
    selector: { app: 'cert-manager' },
    ports: [{ port: 9402, protocol: 'TCP' }],
  });
  for (const { host, address } of SEED_DNS) {
    const pod = await lab.addPod({
      host,
      name: `coredns-${host}`,
      namespace: 'kube-system',
      addresses: [address],
      labels: { 'k8s-app': 'kube-dns' },
    });
    await lab.serveDns(pod, address, { [DNS_NAME]: DNS_ANSWER });
  }
  await lab.addPod({
    host: 'controller-0',
    name: 'cm',
    namespace: 'cert-manager',
    addresses: ['172.16.192.116'],
    labels: { app: 'cert-manager' },
  });
  for (const host of HOST_NAMES)
    await lab.addPod({ host, name: clientOf(host), addresses: [CLIENT_ADDRESSES[host]] });
  return { dnsClusterIp: (kubeDns['spec'] as { clusterIP: string }).clusterIP };
}

/** The client pod of a host, in `default`. */
export function clientOf(host: LabHost): string {
  return `client-${host}`;
}

/** Every client asks every server once; gives how many answers were right. */
export async function askEveryServer(lab: Lab, protocol: 'udp' | 'tcp' = 'udp'): Promise<number> {
  let right = 0;
  for (const host of HOST_NAMES)
    for (const { address } of SEED_DNS) {
      const answer = await lab.resolveDns(`default/${clientOf(host)}`, address, DNS_NAME, { protocol });
      if (answer.join() === DNS_ANSWER.join()) right += 1;
    }
  return right;
}
