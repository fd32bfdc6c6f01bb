// Pods and services as tests ask for them, and as objects with the status that a kubelet would write.
import type { PortText } from '../../support/kubernetes-objects.ts';
import type { KubeObject } from './api.ts';
import type { PodKey } from './places.ts';
import { HOSTS, type LabHost } from './topology.ts';

export interface PodSpec {
  readonly host: LabHost;
  readonly name: string;
  /** `default` when absent. */
  readonly namespace?: string;
  /** Out of the host's blocks, or borrowed from another host's; the host's own with `hostNetwork`. */
  readonly addresses: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Names for named target ports. */
  readonly ports?: readonly {
    readonly name: string;
    readonly containerPort: number;
    readonly protocol?: string;
  }[];
  readonly hostNetwork?: boolean;
  /** Ready at once unless false; then `setReady` makes it so. */
  readonly ready?: boolean;
}

export interface ServiceSpec {
  readonly name: string;
  readonly namespace?: string;
  readonly ports: readonly PortText[];
  readonly selector?: Readonly<Record<string, string>>;
  /** More of the object's spec: clusterIP, type, externalName, ipFamilyPolicy. */
  readonly spec?: object;
}

export function serviceObject(service: ServiceSpec): KubeObject {
  const { namespace = 'default', name, ports, selector, spec } = service;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: { ports: ports.map(namedPort), ...(selector && { selector }), ...spec },
  };
}

export function podKey(pod: PodSpec): PodKey {
  return `${pod.namespace ?? 'default'}/${pod.name}`;
}

/** Services with several ports need names for them. */
function namedPort(port: PortText): PortText {
  const protocol = port.protocol ?? 'TCP';
  return { name: `${protocol.toLowerCase()}-${port.port}`, ...port, protocol };
}

export function podObject(pod: PodSpec): KubeObject {
  const { name, namespace = 'default', labels = {}, ports = [], host, hostNetwork = false } = pod;
  const containerPorts = ports.map((port) => ({ protocol: 'TCP', ...port }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels },
    spec: {
      nodeName: host,
      hostNetwork,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: 'registry.local:9001/lab:1', ports: containerPorts }],
    },
  };
}

/** Running on its host; before it is ready a pod has its address already. */
export function podStatus(pod: PodSpec, ready: boolean): KubeObject {
  const { name, namespace = 'default', addresses, host } = pod;
  const hostIp = HOSTS[host].cluster;
  const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type, position) => ({
    type,
    status: ready || position < 2 ? 'True' : 'False',
  }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name },
    status: {
      phase: 'Running',
      hostIP: hostIp,
      hostIPs: [{ ip: hostIp }],
      podIP: addresses[0],
      podIPs: addresses.map((ip) => ({ ip })),
      conditions,
    },
  };
}
