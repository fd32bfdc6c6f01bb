// Kubernetes objects for tests, each with sensible defaults: what is not said is as on a StarlingX host.

export interface RowText {
  readonly name?: string;
  readonly servicename?: string;
  readonly servicens?: string;
  readonly serviceports?: string;
}

/** An IPsecPolicy; rows are the seed's kube-dns row where they say nothing else. */
export function policyObject(name: string, rows: readonly RowText[] = [{}]): object {
  const row = {
    name: 'kube-dns',
    servicename: 'kube-dns',
    servicens: 'kube-system',
    serviceports: 'udp/53,tcp/53',
  };
  return { metadata: { name }, spec: { policies: rows.map((text) => ({ ...row, ...text })) } };
}

export interface PortText {
  readonly name?: string;
  readonly protocol?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly nodePort?: number;
}

export function serviceObject(
  namespace: string,
  name: string,
  ports: readonly PortText[],
  spec: object = {},
): object {
  return { metadata: { namespace, name }, spec: { ports, selector: { app: name }, ...spec } };
}

export interface SliceText {
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  readonly ports: readonly { readonly name?: string; readonly protocol?: string; readonly port: number }[];
  readonly endpoints: readonly { readonly addresses: readonly string[]; readonly nodeName?: string }[];
  readonly addressType?: string;
}

export function endpointSliceObject(slice: SliceText): object {
  const { namespace, name, service, ports, endpoints, addressType = 'IPv4' } = slice;
  const labels = { 'kubernetes.io/service-name': service };
  return { metadata: { namespace, name, labels }, addressType, ports, endpoints };
}

/** A Node that carries the agent's label; its status must be written separately, with `nodeStatus`. */
export function nodeObject(name: string): object {
  return { metadata: { name, labels: { 'ipsec-policy-agent-operator': 'enabled' } } };
}

export function nodeStatus(addresses: readonly string[], ready = true): object {
  const status = ready ? 'True' : 'False';
  return {
    status: {
      addresses: addresses.map((address) => ({ type: 'InternalIP', address })),
      conditions: [
        {
          type: 'Ready',
          status,
          reason: 'KubeletReady',
          message: '',
          lastHeartbeatTime: '2026-01-01T00:00:00Z',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
  };
}

/** Calico names blocks like their prefix: `172-16-192-64-26`. */
export function calicoName(cidr: string): string {
  return cidr.replaceAll(/[.:/]+/g, '-');
}

export interface Allocation {
  /** Place in the block. */
  readonly ordinal: number;
  readonly node: string;
}

/** An IPAMBlock of `host` with some of its first 64 addresses given out. */
export function ipamBlockObject(
  cidr: string,
  host: string | undefined,
  allocations: readonly Allocation[] = [],
): object {
  const nodes = [...new Set(allocations.map(({ node }) => node))];
  const slots = Array.from({ length: 64 }, (_, ordinal) => {
    const found = allocations.find((allocation) => allocation.ordinal === ordinal);
    return found === undefined ? null : nodes.indexOf(found.node);
  });
  return {
    metadata: { name: calicoName(cidr) },
    spec: {
      cidr,
      ...(host === undefined ? {} : { affinity: `host:${host}` }),
      allocations: slots,
      attributes: nodes.map((node) => ({
        handle_id: `k8s-pod-network.${node}`,
        secondary: { node, namespace: 'default', pod: `pod-on-${node}` },
      })),
      unallocated: slots.flatMap((slot, ordinal) => (slot === null ? [ordinal] : [])),
      deleted: false,
      strictAffinity: false,
    },
  };
}

export function blockAffinityObject(cidr: string, node: string, state = 'confirmed'): object {
  return {
    metadata: { name: `${node}-${calicoName(cidr)}` },
    spec: { cidr, node, state, deleted: 'false' },
  };
}

export function ipPoolObject(name: string, cidr: string): object {
  const blockSize = cidr.includes(':') ? 122 : 26;
  return {
    metadata: { name },
    spec: {
      cidr,
      blockSize,
      ipipMode: 'Never',
      vxlanMode: 'Never',
      natOutgoing: true,
      nodeSelector: 'all()',
    },
  };
}
