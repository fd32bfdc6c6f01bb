// The kinds that are read and written, and their paths in the API. RBAC in the chart names the same ones.

/** One kind of object. `group` is empty for the core group. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const OURS = 'starlingx.io';
const CALICO = 'crd.projectcalico.org';

export const POLICIES = clusterWide(OURS, 'v1', 'IPsecPolicy', 'ipsecpolicies');
export const NETWORKS = clusterWide(OURS, 'v1alpha1', 'IPsecNetwork', 'ipsecnetworks');
export const HOSTS = clusterWide(OURS, 'v1alpha1', 'IPsecHost', 'ipsechosts');
export const SHARDS = clusterWide(OURS, 'v1alpha1', 'IPsecService', 'ipsecservices');
export const REPORTS = clusterWide(OURS, 'v1alpha1', 'IPsecHostReport', 'ipsechostreports');

export const SERVICES = namespaced('', 'v1', 'Service', 'services');
export const ENDPOINT_SLICES = namespaced('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices');
export const PODS = namespaced('', 'v1', 'Pod', 'pods');
export const NODES = clusterWide('', 'v1', 'Node', 'nodes');
export const DEPLOYMENTS = namespaced('apps', 'v1', 'Deployment', 'deployments');
export const DAEMON_SETS = namespaced('apps', 'v1', 'DaemonSet', 'daemonsets');
export const EVENTS = namespaced('events.k8s.io', 'v1', 'Event', 'events');
export const LEASES = namespaced('coordination.k8s.io', 'v1', 'Lease', 'leases');
/** The one that managers lead by. */
export const MANAGER_LEASE = 'ipsec-policy-manager';

export const IPAM_BLOCKS = clusterWide(CALICO, 'v1', 'IPAMBlock', 'ipamblocks');
export const BLOCK_AFFINITIES = clusterWide(CALICO, 'v1', 'BlockAffinity', 'blockaffinities');
export const IP_POOLS = clusterWide(CALICO, 'v1', 'IPPool', 'ippools');

/** `starlingx.io/v1`, or `v1` for the core group. */
export function apiVersion(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** As `kubectl get` and RBAC name it: `ippools.crd.projectcalico.org`, or `services` of the core group. */
export function resourceName({ plural, group }: Resource): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** The path of a collection: of one namespace, of all namespaces, or cluster wide. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${apiVersion(resource)}`;
  const inside = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${inside}/${resource.plural}`;
}

export function objectPath(resource: Resource, name: string, namespace?: string): string {
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
}

function clusterWide(group: string, version: string, kind: string, plural: string): Resource {
  return { group, version, kind, plural, namespaced: false };
}

function namespaced(group: string, version: string, kind: string, plural: string): Resource {
  return { group, version, kind, plural, namespaced: true };
}
