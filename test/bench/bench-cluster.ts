// A cluster of any size as API objects: hosts with one Calico block each, services of two endpoints spread over the hosts.
// Only what the manager reads; pods, kubelets and real hosts are not there.
import type { Client } from '../../app/kubernetes/client.ts';
import { ENDPOINT_SLICES, IP_POOLS, POLICIES, SERVICES } from '../../app/kubernetes/resources.ts';
import {
  endpointSliceObject,
  ipPoolObject,
  policyObject,
  serviceObject,
} from '../support/kubernetes-objects.ts';
import { createHost } from '../support/three-hosts.ts';

export interface ClusterSize {
  readonly hosts: number;
  readonly services: number;
}

const NAMESPACE = 'default';
const PORTS = [{ name: 'main', protocol: 'TCP', port: 8080 }] as const;

export function hostName(index: number): string {
  return `host-${index}`;
}

/** The `place`-th pod address of the host's block. */
export function podAddress(host: number, place: number): string {
  return blockStart(host, place);
}

export function hostBlock(host: number): string {
  return `${blockStart(host, 0)}/26`;
}

export function hostAddress(host: number): string {
  return `192.168.${100 + (host >> 8)}.${host & 255}`;
}

function blockStart(host: number, place: number): string {
  const offset = host * 64 + place;
  return `172.${16 + (offset >> 16)}.${(offset >> 8) & 255}.${offset & 255}`;
}

/** Everything but the policy. */
export async function createCluster(admin: Client, size: ClusterSize): Promise<void> {
  await admin.create(IP_POOLS, ipPoolObject('default-ipv4-ippool', '172.16.0.0/14'));
  await inTurn(size.hosts, (host) =>
    createHost(admin, { name: hostName(host), address: hostAddress(host), block: hostBlock(host) }),
  );
  await inTurn(size.services, async (service) => {
    await admin.create(SERVICES, serviceObject(NAMESPACE, serviceName(service), PORTS), NAMESPACE);
    await admin.create(ENDPOINT_SLICES, sliceOf(service, endpointsOf(service, size)), NAMESPACE);
  });
}

/** One policy with a row for each service. */
export async function createPolicy(admin: Client, { services }: ClusterSize): Promise<void> {
  const rows = [...Array(services).keys()].map((service) => ({
    name: serviceName(service),
    servicename: serviceName(service),
    servicens: NAMESPACE,
    serviceports: 'tcp/8080',
  }));
  await admin.create(POLICIES, policyObject('bench', rows));
}

/** The first endpoint of the first service goes to the last host. */
export async function moveEndpoint(admin: Client, size: ClusterSize): Promise<void> {
  const moved = endpointOn(size.hosts - 1, 40);
  const [, second] = endpointsOf(0, size);
  const patch = { endpoints: [moved, second] };
  await admin.mergePatch(ENDPOINT_SLICES, { name: sliceName(0), namespace: NAMESPACE }, patch);
}

interface Endpoint {
  readonly addresses: readonly string[];
  readonly nodeName: string;
}

function endpointsOf(service: number, { hosts }: ClusterSize): Endpoint[] {
  return [0, 1].map((n) => {
    const index = 2 * service + n;
    return endpointOn(index % hosts, 1 + Math.floor(index / hosts));
  });
}

function endpointOn(host: number, place: number): Endpoint {
  return { addresses: [podAddress(host, place)], nodeName: hostName(host) };
}

function sliceOf(service: number, endpoints: readonly Endpoint[]): object {
  const name = sliceName(service);
  return endpointSliceObject({
    namespace: NAMESPACE,
    name,
    service: serviceName(service),
    ports: PORTS,
    endpoints,
  });
}

function serviceName(service: number): string {
  return `service-${service}`;
}

function sliceName(service: number): string {
  return `${serviceName(service)}-x`;
}

const AT_ONCE = 8;

/** Calls `make` for 0 to `count - 1`, a few at a time. */
export async function inTurn(count: number, make: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await make(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
