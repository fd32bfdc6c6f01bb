// How charon 5.9.8 words what it lists: the trees of list-conn, list-policy and list-sa events, made from what was
// loaded with load-conn. Compared with a real charon in test/integration/vici-real-charon.test.ts.
import { child, list, sections, text } from '../../app/swanctl/tree.ts';
import type { Tree, TreeValue } from '../../app/swanctl/tree.ts';

export interface FakeChildSa {
  readonly name: string;
  readonly uniqueId: number;
  readonly config: Tree;
  /** In each direction. Every listing finds more: all flows are answered. */
  packets?: number;
}

export interface FakeIkeSa {
  readonly name: string;
  readonly uniqueId: number;
  readonly config: Tree;
  readonly childSas: FakeChildSa[];
}

/** Port names out of /etc/services: charon prints them in place of numbers. */
export type PortNames = Readonly<Record<string, string>>;

const SELECTOR = /^([0-9a-f.:]+\/\d+|dynamic)(?:\[(\w+)(?:\/(\d+|any))?\])?$/;

const LISTS: readonly string[] = [
  'local_addrs',
  'remote_addrs',
  'proposals',
  'local_ts',
  'remote_ts',
  'esp_proposals',
];

/** What load-conn says against a connection, if anything: only the mistakes that are easily made are looked for. */
export function complaint(config: Tree): string | undefined {
  for (const part of [config, ...childConfigs(config).map(([, childConfig]) => childConfig)])
    for (const [key, value] of Object.entries(part)) {
      // swanctl splits its file's lists at commas; over VICI they must be lists, and values must not.
      if (key !== 'children' && Array.isArray(value) !== LISTS.includes(key) && !isSection(value))
        return `unknown option: ${key}, config discarded`;
      if (/^(local|remote)_ts$/.test(key) && !list(part, key).every((selector) => SELECTOR.test(selector)))
        return `invalid value for: ${key}, config discarded`;
    }
  return undefined;
}

function isSection(value: TreeValue): boolean {
  return typeof value === 'object' && !Array.isArray(value);
}

export function connectionListing(name: string, config: Tree, ports: PortNames): Tree {
  const seconds = (key: string, otherwise: string): string => plainSeconds(text(config, key), otherwise);
  const delay = plainSeconds(text(config, 'dpd_delay'), '0');
  return {
    [name]: {
      local_addrs: orAny(list(config, 'local_addrs')),
      remote_addrs: orAny(list(config, 'remote_addrs')),
      version: { '1': 'IKEv1', '2': 'IKEv2' }[text(config, 'version') ?? ''] ?? 'IKEv1/2',
      reauth_time: seconds('reauth_time', '0'),
      rekey_time: seconds('rekey_time', '14400'),
      unique: `UNIQUE_${(text(config, 'unique') ?? 'no').toUpperCase()}`,
      ...(delay !== '0' && { dpd_delay: delay }),
      ...authRounds(config, 'local'),
      ...authRounds(config, 'remote'),
      children: Object.fromEntries(
        childConfigs(config).map(([childName, childConfig]) => [childName, childListing(childConfig, ports)]),
      ),
    },
  };
}

export function childConfigs(config: Tree): [string, Tree][] {
  return sections(child(config, 'children') ?? {});
}

/** Whether loading a child installs its policy. */
export function hasPolicy(config: Tree): boolean {
  return text(config, 'start_action') === 'trap';
}

/** Which list of list-policies a child stands in when its policy is installed. */
export function policyKind(config: Tree): 'trap' | 'drop' | 'pass' {
  const mode = text(config, 'mode');
  return mode === 'pass' || mode === 'drop' ? mode : 'trap';
}

export function policyListing(connection: string, name: string, config: Tree, ports: PortNames): Tree {
  return {
    [`${connection}/${name}`]: {
      child: name,
      ike: connection,
      mode: modeOf(config),
      ...selectors(config, ports),
    },
  };
}

export function saListing(sa: FakeIkeSa, ports: PortNames): Tree {
  return {
    [sa.name]: {
      ...ikeSaFields(sa),
      'child-sas': Object.fromEntries(
        sa.childSas.map((childSa) => [`${childSa.name}-${childSa.uniqueId}`, childSaFields(childSa, ports)]),
      ),
    },
  };
}

export function ikeSaFields({ uniqueId, config }: FakeIkeSa): Tree {
  const id = (side: string): string => text(child(config, side) ?? {}, 'id') ?? '%any';
  return {
    uniqueid: String(uniqueId),
    version: '2',
    state: 'ESTABLISHED',
    'local-host': list(config, 'local_addrs')[0] ?? '%any',
    'local-port': '4500',
    'local-id': id('local'),
    'remote-host': list(config, 'remote_addrs')[0] ?? '%any',
    'remote-port': '4500',
    'remote-id': id('remote'),
    initiator: 'yes',
    'initiator-spi': spi(uniqueId, 16),
    'responder-spi': spi(uniqueId + 1, 16),
    'encr-alg': 'AES_CBC',
    'encr-keysize': '128',
    'integ-alg': 'HMAC_SHA2_256_128',
    'prf-alg': 'PRF_AES128_XCBC',
    'dh-group': 'MODP_3072',
    established: '1',
    'rekey-time': '3500',
    'reauth-time': '14300',
  };
}

export function childSaFields(sa: FakeChildSa, ports: PortNames): Tree {
  const { name, uniqueId, config } = sa;
  sa.packets = (sa.packets ?? 0) + 1;
  const packets = String(sa.packets);
  return {
    name,
    uniqueid: String(uniqueId),
    reqid: String(uniqueId),
    state: 'INSTALLED',
    mode: modeOf(config),
    protocol: 'ESP',
    'spi-in': spi(uniqueId, 8),
    'spi-out': spi(uniqueId + 1, 8),
    'encr-alg': 'AES_GCM_16',
    'encr-keysize': '128',
    'bytes-in': '0',
    'packets-in': packets,
    'bytes-out': '0',
    'packets-out': packets,
    'rekey-time': '3300',
    'life-time': '3960',
    'install-time': '1',
    ...selectors(config, ports),
  };
}

function childListing(config: Tree, ports: PortNames): Tree {
  const priority = text(config, 'priority');
  return {
    mode: modeOf(config),
    rekey_time: plainSeconds(text(config, 'rekey_time'), '3600'),
    rekey_bytes: '0',
    rekey_packets: '0',
    dpd_action: text(config, 'dpd_action') ?? 'none',
    close_action: text(config, 'close_action') ?? 'none',
    ...selectors(config, ports),
    ...(priority !== undefined && { priority }),
  };
}

function selectors(config: Tree, ports: PortNames): Tree {
  const named = (key: string): string[] => {
    const written = list(config, key);
    return (written.length > 0 ? written : ['dynamic']).map((selector) => namePort(selector, ports));
  };
  return { 'local-ts': named('local_ts'), 'remote-ts': named('remote_ts') };
}

/** Out of /etc/protocols. */
const PROTOCOL_NAMES: Readonly<Record<string, string>> = { '6': 'tcp', '17': 'udp', '132': 'sctp' };

function namePort(selector: string, ports: PortNames): string {
  const [, net = '', written, port] = SELECTOR.exec(selector) ?? [];
  if (written === undefined) return net;
  const protocol = PROTOCOL_NAMES[written] ?? written;
  if (port === undefined || port === 'any') return `${net}[${protocol}]`;
  return `${net}[${protocol}/${ports[`${protocol}/${port}`] ?? port}]`;
}

/** local, local-1, ... become local-1, local-2, ... in the order they were loaded; no section is one empty round. */
function authRounds(config: Tree, side: 'local' | 'remote'): Tree {
  const rounds = sections(config).filter(([key]) => new RegExp(`^${side}(-|$)`).test(key));
  const listed = (rounds.length > 0 ? rounds.map(([, round]) => round) : [{}]).map((round, index) => {
    const id = text(round, 'id');
    const auth = text(round, 'auth');
    return [
      `${side}-${index + 1}`,
      {
        ...(id !== undefined && { id }),
        ...(auth !== undefined && { class: auth === 'pubkey' ? 'public key' : auth }),
        groups: [],
        cert_policy: [],
        certs: [],
        cacerts: [],
      },
    ] as const;
  });
  return Object.fromEntries(listed);
}

function modeOf(config: Tree): string {
  return (text(config, 'mode') ?? 'tunnel').toUpperCase();
}

function orAny(addresses: readonly string[]): readonly string[] {
  return addresses.length > 0 ? addresses : ['%any'];
}

function plainSeconds(value: string | undefined, otherwise: string): string {
  return value?.replace(/s$/, '') ?? otherwise;
}

function spi(seed: number, digits: number): string {
  return ((seed * 0x9e3779b1) >>> 0).toString(16).padStart(digits, 'c');
}
