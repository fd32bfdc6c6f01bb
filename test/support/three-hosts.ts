// The seed's cluster as API objects: three hosts with their Calico blocks, and kube-dns with a pod on each controller.
import type { Client } from '../../app/kubernetes/client.ts';
import { ENDPOINT_SLICES, IP_POOLS, IPAM_BLOCKS, NODES, SERVICES } from '../../app/kubernetes/resources.ts';
import {
  endpointSliceObject,
  ipamBlockObject,
  ipPoolObject,
  nodeObject,
  nodeStatus,
  serviceObject,
} from './kubernetes-objects.ts';

export const SEED_HOSTS = [
  { name: 'controller-0', address: '192.168.206.2', block: '172.16.192.64/26' },
  { name: 'controller-1', address: '192.168.206.3', block: '172.16.166.128/26' },
  { name: 'worker-0', address: '192.168.206.66', block: '172.16.43.0/26' },
] as const;

export const KUBE_DNS_PORTS = [
  { name: 'dns', protocol: 'UDP', port: 53 },
  { name: 'dns-tcp', protocol: 'TCP', port: 53 },
  { name: 'metrics', protocol: 'TCP', port: 9153 },
] as const;

export const KUBE_DNS_ENDPOINTS = [
  { addresses: ['172.16.166.178'], nodeName: 'controller-1' },
  { addresses: ['172.16.192.115'], nodeName: 'controller-0' },
] as const;

/** A Node, Ready, with the agent's label and one block. */
export async function createHost(
  admin: Client,
  host: { readonly name: string; readonly address: string; readonly block: string },
): Promise<void> {
  await admin.create(NODES, nodeObject(host.name));
  await admin.mergePatch(NODES, { name: host.name, subresource: 'status' }, nodeStatus([host.address]));
  await admin.create(IPAM_BLOCKS, ipamBlockObject(host.block, host.name));
}

export async function createSeedCluster(admin: Client): Promise<void> {
  await admin.create(IP_POOLS, ipPoolObject('default-ipv4-ippool', '172.16.0.0/16'));
  await Promise.all(SEED_HOSTS.map((host) => createHost(admin, host)));
}

export async function createKubeDns(admin: Client): Promise<void> {
  await admin.create(SERVICES, serviceObject('kube-system', 'kube-dns', KUBE_DNS_PORTS), 'kube-system');
  await admin.create(
    ENDPOINT_SLICES,
    endpointSliceObject({
      namespace: 'kube-system',
      name: 'kube-dns-x',
      service: 'kube-dns',
      ports: KUBE_DNS_PORTS,
      endpoints: KUBE_DNS_ENDPOINTS,
    }),
    'kube-system',
  );
}
