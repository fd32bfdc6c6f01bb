// Facts for tests: builders with defaults, so that a test names only what it is about; and the three hosts of the
// feature's public description.
import type {
  EndpointFact,
  EndpointState,
  Facts,
  HostFact,
  HostName,
  NetworkFact,
  PortStage,
  ShardFact,
  Stage,
} from '../../app/domain/facts.ts';
import { DEFAULT_PARAMETERS } from '../../app/domain/facts.ts';
import { parseAddress, parsePrefix, type Address, type Prefix } from '../../app/domain/ip.ts';
import { parsePort, type Port } from '../../app/domain/ports.ts';

/** A parsed address; throws when the text is none. */
export function address(text: string): Address {
  return must(parseAddress(text), text);
}

/** A parsed prefix; throws when the text is none. */
export function prefix(text: string): Prefix {
  return must(parsePrefix(text), text);
}

/** A parsed `tcp/53`; throws when the text is none. */
export function port(text: string): Port {
  return must(parsePort(text), text);
}

export function hostName(text: string): HostName {
  return text as HostName;
}

export function network(changes: Partial<NetworkFact> = {}): NetworkFact {
  return {
    uid: 'network-1',
    pools: [prefix('172.16.0.0/16')],
    parameters: DEFAULT_PARAMETERS,
    guardMode: 'enforce',
    ...changes,
  };
}

/** A host with its cluster-host addresses and its pods' prefixes. */
export function host(name: string, addresses: readonly string[], prefixes: readonly string[]): HostFact {
  return { name: hostName(name), addresses: addresses.map(address), prefixes: prefixes.map(prefix) };
}

/** `endpoint('172.16.192.115', 'controller-0', 'udp/53 tcp/53')`, active unless told. */
export function endpoint(
  text: string,
  onHost: string,
  ports: string,
  state: EndpointState = 'active',
): EndpointFact {
  return { address: address(text), host: hostName(onHost), ports: portList(ports), state };
}

export interface ShardOptions {
  /** `namespace/service`. */
  readonly of: string;
  /** `tcp/53 udp/53`, all in `stage`; or `tcp/53=prepare udp/53`. Shards but the first have none in practice. */
  readonly stages?: string;
  readonly stage?: Stage;
  readonly endpoints?: readonly EndpointFact[];
  readonly index?: number;
  readonly generation?: number;
  readonly clusterIps?: readonly string[];
  readonly servicePorts?: string;
}

/** One shard of a protected service; stage `enforce` unless told. */
export function shard(options: ShardOptions): ShardFact {
  const [namespace = '', service = ''] = options.of.split('/');
  const index = options.index ?? 0;
  const name = `${namespace}.${service}.${index}`;
  return {
    version: { name, uid: `uid-${name}`, generation: options.generation ?? 1 },
    namespace,
    service,
    index,
    clusterIps: (options.clusterIps ?? []).map(address),
    servicePorts: portList(options.servicePorts ?? ''),
    stages: stageList(options.stages ?? '', options.stage ?? 'enforce'),
    endpoints: options.endpoints ?? [],
  };
}

export function facts(changes: Partial<Facts> = {}): Facts {
  return { network: network(), hosts: SEED_HOSTS, shards: [], ...changes };
}

export const CONTROLLER_0 = hostName('controller-0');
export const CONTROLLER_1 = hostName('controller-1');
export const WORKER_0 = hostName('worker-0');

export const SEED_HOSTS: readonly HostFact[] = [
  host('controller-0', ['192.168.206.2'], ['172.16.192.64/26']),
  host('controller-1', ['192.168.206.3'], ['172.16.166.128/26']),
  host('worker-0', ['192.168.206.66'], ['172.16.43.0/26']),
];

/** The seed's three hosts with both rows of its policy: kube-dns on both controllers, cert-manager on controller-0. */
export function seedFacts(changes: Partial<Facts> = {}): Facts {
  return facts({ shards: [kubeDns(), certManager()], ...changes });
}

/** kube-dns of the seed, all ports in one stage and all endpoints in one state, unless told. */
export function kubeDns(changes: Partial<ShardOptions> = {}): ShardFact {
  const ports = 'tcp/53 tcp/9153 udp/53';
  return shard({
    of: 'kube-system/kube-dns',
    stages: ports,
    clusterIps: ['10.96.0.10'],
    servicePorts: ports,
    endpoints: [
      endpoint('172.16.166.178', 'controller-1', ports),
      endpoint('172.16.192.115', 'controller-0', ports),
    ],
    ...changes,
  });
}

function certManager(): ShardFact {
  return shard({
    of: 'cert-manager/cm-cert-manager',
    stages: 'tcp/9402',
    clusterIps: ['10.96.55.7'],
    servicePorts: 'tcp/9402',
    endpoints: [endpoint('172.16.192.90', 'controller-0', 'tcp/9402')],
  });
}

function portList(text: string): Port[] {
  return words(text).map(port);
}

function stageList(text: string, stage: Stage): PortStage[] {
  return words(text).map((word) => {
    const [portText = '', own] = word.split('=');
    return { ...port(portText), stage: (own as Stage | undefined) ?? stage };
  });
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}

function must<T>(value: T | undefined, text: string): T {
  if (value === undefined) throw new Error(`not valid: ${text}`);
  return value;
}
