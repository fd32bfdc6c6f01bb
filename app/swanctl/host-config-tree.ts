// What a connection looks like to strongSwan: the content of VICI's load-conn and, through conf-text.ts, of our file.
// Both come from this one tree, so that a platform `swanctl --load-conns` loads exactly what we sent.
import type { Child, Connection, LocalConnection, PeerConnection } from '../domain/host-config.ts';
import { charonSelector } from './selector-text.ts';
import type { Tree } from './tree.ts';

/**
 * Keys that VICI wants as lists and the file holds as texts separated by commas; those of them that we use
 * (strongSwan 5.9.8, src/swanctl/commands/load_conns.c, is_list_key).
 */
export const LIST_KEYS: readonly string[] = [
  'local_addrs',
  'remote_addrs',
  'proposals',
  'esp_proposals',
  'local_ts',
  'remote_ts',
];

/** No packet from the network comes from here to here, so charon never picks such a connection for a peer. */
const NOWHERE = '127.0.0.1';

/** The whole request of `load-conn`: one section, named as the connection. */
export function loadMessage(connection: Connection): Tree {
  return { [connection.name]: connectionTree(connection) };
}

/** The content of one connection: values first, then sections, as swanctl sends them. `loadedAt` is not part of it. */
export function connectionTree(connection: Connection): Tree {
  return connection.kind === 'peer' ? peerTree(connection) : localTree(connection);
}

function peerTree(connection: PeerConnection): Tree {
  const { parameters } = connection;
  return {
    version: '2',
    local_addrs: [connection.localAddress],
    remote_addrs: [connection.remoteAddress],
    proposals: [parameters.ikeProposal],
    // Brings port 4500 from the second exchange on; the platform's firewall and the users' habits expect it.
    mobike: 'yes',
    unique: 'never',
    dpd_delay: seconds(parameters.dpdSeconds),
    reauth_time: seconds(parameters.ikeReauthSeconds),
    rekey_time: seconds(parameters.ikeRekeySeconds),
    local: { auth: 'pubkey', id: `CN=${connection.localCommonName}` },
    remote: {
      auth: 'pubkey',
      id: `CN=${connection.remoteCommonName}`,
      ...(parameters.caId === undefined ? {} : { ca_id: parameters.caId }),
    },
    children: childSections(connection.children, {
      esp_proposals: [parameters.espProposal],
      rekey_time: seconds(parameters.childRekeySeconds),
    }),
  };
}

/**
 * Pass children need a connection around them but no peer. With remote address `%any` it would be a candidate for
 * every IKE request, the platform's own included; with loopback addresses at both ends it is one for none.
 */
function localTree(connection: LocalConnection): Tree {
  return {
    version: '2',
    local_addrs: [NOWHERE],
    remote_addrs: [NOWHERE],
    children: childSections(connection.children, {}),
  };
}

function childSections(children: readonly Child[], tunnel: Tree): Tree {
  return Object.fromEntries(children.map((child) => [child.name, childTree(child, tunnel)]));
}

function childTree(child: Child, tunnel: Tree): Tree {
  return {
    mode: child.mode,
    local_ts: [charonSelector(child.localTs)],
    remote_ts: [charonSelector(child.remoteTs)],
    ...(child.mode === 'tunnel' ? tunnel : {}),
    priority: String(child.priority),
    start_action: child.startAction,
  };
}

function seconds(value: number): string {
  return `${value}s`;
}
