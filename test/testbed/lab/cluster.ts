// What a StarlingX cluster has in its API before our application comes: Nodes with the agent's label, Calico's pools,
// namespaces. The lab is kubelet and Calico IPAM in one; pods and blocks are pods.ts's business.
import { ipPoolObject, nodeStatus } from '../../support/kubernetes-objects.ts';
import type { Api, KubeObject } from './api.ts';
import { HOST_NAMES, HOSTS, POD_POOLS, type LabHost } from './topology.ts';

const CALICO = 'crd.projectcalico.org/v1';

/** Gives an object made by a builder of test/support its kind. */
export function typed(apiVersion: string, kind: string, object: object): KubeObject {
  return { apiVersion, kind, ...(object as Pick<KubeObject, 'metadata'>) };
}

export function calico(kind: 'IPPool' | 'IPAMBlock' | 'BlockAffinity', object: object): KubeObject {
  return typed(CALICO, kind, object);
}

/** Nodes and pools; each host's blocks come with pods.ts. `labelled`: the hosts that shall have an agent, by default all. */
export async function fillCluster(api: Api, labelled: readonly LabHost[] = HOST_NAMES): Promise<void> {
  const [pool4, pool6] = POD_POOLS;
  await Promise.all([
    ...HOST_NAMES.map((host) => applyNode(api, host, { labelled: labelled.includes(host) })),
    api.apply(calico('IPPool', ipPoolObject('default-ipv4-ippool', pool4))),
    api.apply(calico('IPPool', ipPoolObject('default-ipv6-ippool', pool6))),
    ensureNamespace(api, 'default'),
  ]);
}

export interface NodeState {
  readonly ready?: boolean;
  /** Whether it carries the agent's label. */
  readonly labelled?: boolean;
}

/** The host's Node with its cluster-host addresses, as its kubelet and the platform write it; Ready and labelled unless told otherwise. */
export async function applyNode(
  api: Api,
  host: LabHost,
  { ready = true, labelled = true }: NodeState = {},
): Promise<void> {
  const { cluster, cluster6 } = HOSTS[host];
  const labels = {
    'kubernetes.io/os': 'linux',
    'kubernetes.io/hostname': host,
    ...(host.startsWith('controller-') && { 'node-role.kubernetes.io/control-plane': '' }),
    ...(labelled && { 'ipsec-policy-agent-operator': 'enabled' }),
  };
  await api.apply(typed('v1', 'Node', { metadata: { name: host, labels } }));
  const { status } = nodeStatus([cluster, cluster6], ready) as { readonly status: object };
  // Room for pods, without which no scheduler would bind any.
  const allocatable = { cpu: '4', memory: '8Gi', pods: '110' };
  await api.patchStatus(
    typed('v1', 'Node', {
      metadata: { name: host },
      status: { ...status, capacity: allocatable, allocatable },
    }),
  );
}

/** With the service account that the admission of pods asks for. */
export async function ensureNamespace(api: Api, name: string): Promise<void> {
  await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await api.apply({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { namespace: name, name: 'default' },
  });
}
