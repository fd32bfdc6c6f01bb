// Pods and blocks of the lab, each in both worlds: the object in the API with the status a kubelet would give it, and
// the network in the guest. Calico's IPAM objects are kept in step, borrowed addresses included.
import {
  contains,
  familyOf,
  networkAddress,
  parseAddress,
  parsePrefix,
  type Address,
  type Prefix,
} from '../../../app/domain/ip.ts';
import { blockAffinityObject, calicoName, ipamBlockObject } from '../../support/kubernetes-objects.ts';
import type { Api, KubeObject } from './api.ts';
import { calico, ensureNamespace } from './cluster.ts';
import {
  podKey,
  podObject,
  podStatus,
  serviceObject,
  type PodSpec,
  type ServiceSpec,
} from './pod-objects.ts';
import { plugPod, routeBlock, unplugPod, type PodNetwork } from './network.ts';
import type { Places, PodKey } from './places.ts';
import { HOST_NAMES, HOSTS, type LabHost } from './topology.ts';

export interface Pods {
  /** The object first, then network, addresses and readiness, as a kubelet does; gives the place to run programs in. */
  addPod(pod: PodSpec): Promise<PodKey>;
  removePod(pod: PodKey): Promise<void>;
  setReady(pod: PodKey, ready: boolean): Promise<void>;
  /** What a host's pods are on it ends, as before a reboot; the API is told nothing. */
  stopPods(host: LabHost): Promise<void>;
  /** The same pods again, with the addresses they had; programs in them are for whoever wants them. */
  startPods(host: LabHost): Promise<void>;
  /** Another block for a host: Calico's objects and the routes. */
  addBlock(host: LabHost, prefix: string): Promise<void>;
  removeBlock(prefix: string): Promise<void>;
  /** Creates the service or makes it so; gives the object with its cluster IP. */
  addService(service: ServiceSpec): Promise<KubeObject>;
  removeService(namespace: string, name: string): Promise<void>;
}

interface Block {
  readonly prefix: Prefix;
  readonly owner: LabHost;
}

/** Writes the first blocks of every host. */
export async function openPods(api: Api, places: Places): Promise<Pods> {
  const pods = new Map<PodKey, PodSpec>();
  const blocks: Block[] = [];

  const writeBlock = async ({ prefix, owner }: Block): Promise<void> => {
    const allocations = [...pods.values()]
      .filter((pod) => pod.hostNetwork !== true)
      .flatMap((pod) => pod.addresses.map((address) => ({ address: checked(address), node: pod.host })))
      .filter(({ address }) => contains(prefix, address))
      .map(({ address, node }) => ({ ordinal: ordinalIn(prefix, address), node }));
    await api.apply(calico('IPAMBlock', ipamBlockObject(prefix, owner, allocations)));
  };
  /** Blocks that an address of the pod is in; those of other hosts are borrowed from. */
  const blocksOf = (pod: PodSpec): Block[] =>
    pod.hostNetwork === true
      ? []
      : blocks.filter(({ prefix }) => pod.addresses.some((address) => contains(prefix, checked(address))));
  const routeBorrowed = async (pod: PodSpec, action: 'add' | 'del'): Promise<void> => {
    for (const { prefix, owner } of blocksOf(pod))
      for (const address of pod.addresses)
        if (owner !== pod.host && contains(prefix, checked(address)))
          await routeBlock(places, pod.host, `${address}/${address.includes(':') ? 128 : 32}`, action);
  };
  const podsOf = (host: LabHost): PodNetwork[] =>
    [...pods]
      .filter(([, pod]) => pod.host === host && pod.hostNetwork !== true)
      .map(([key, { addresses }]) => ({ key, host, addresses }));
  const known = (key: PodKey): PodSpec => {
    const pod = pods.get(key);
    if (pod === undefined) throw new Error(`the lab has no pod ${key}`);
    return pod;
  };
  const registerBlock = async (owner: LabHost, text: string): Promise<void> => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error(`not a prefix: ${text}`);
    blocks.push({ prefix, owner });
    await writeBlock({ prefix, owner });
    await api.apply(calico('BlockAffinity', blockAffinityObject(prefix, owner)));
  };

  for (const host of HOST_NAMES) for (const prefix of HOSTS[host].blocks) await registerBlock(host, prefix);
  return {
    addPod: async (pod) => {
      const key = podKey(pod);
      pods.set(key, pod);
      await ensureNamespace(api, pod.namespace ?? 'default');
      await api.apply(podObject(pod));
      await Promise.all(blocksOf(pod).map(writeBlock));
      if (pod.hostNetwork !== true) await plugPod(places, { key, host: pod.host, addresses: pod.addresses });
      await routeBorrowed(pod, 'add');
      await api.patchStatus(podStatus(pod, false));
      if (pod.ready !== false) await api.patchStatus(podStatus(pod, true));
      return key;
    },
    removePod: async (key) => {
      const pod = known(key);
      await api.remove(podObject(pod));
      await routeBorrowed(pod, 'del');
      pods.delete(key);
      if (pod.hostNetwork !== true)
        await unplugPod(places, { key, host: pod.host, addresses: pod.addresses });
      await Promise.all(blocksOf(pod).map(writeBlock));
    },
    setReady: async (key, ready) => {
      await api.patchStatus(podStatus(known(key), ready));
    },
    stopPods: async (host) => {
      for (const pod of podsOf(host)) await unplugPod(places, pod);
    },
    startPods: async (host) => {
      for (const pod of podsOf(host)) await plugPod(places, pod);
    },
    addBlock: async (host, prefix) => {
      await routeBlock(places, host, prefix, 'add');
      await registerBlock(host, prefix);
    },
    removeBlock: async (prefix) => {
      const index = blocks.findIndex((block) => block.prefix === prefix);
      const [block] = index < 0 ? [] : blocks.splice(index, 1);
      if (block === undefined) throw new Error(`the lab has no block ${prefix}`);
      await api.remove(calico('BlockAffinity', blockAffinityObject(prefix, block.owner)));
      await api.remove(calico('IPAMBlock', { metadata: { name: calicoName(prefix) } }));
      await routeBlock(places, block.owner, prefix, 'del');
    },
    addService: async (service) => {
      await ensureNamespace(api, service.namespace ?? 'default');
      return api.apply(serviceObject(service));
    },
    removeService: (namespace, name) =>
      api.remove({ apiVersion: 'v1', kind: 'Service', metadata: { namespace, name } }),
  };
}

function checked(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

/** Blocks have 64 addresses: the last six bits. */
function ordinalIn(prefix: Prefix, address: Address): number {
  const last = (text: string): number =>
    familyOf(address) === 4
      ? Number(text.split('.').at(-1))
      : Number.parseInt(text.split(':').at(-1) ?? '', 16) || 0;
  return last(address) - last(networkAddress(prefix));
}
