// What charon would say, for tests of what is made of it.
import type { Connection, HostConfig } from '../../app/domain/host-config.ts';
import { type ChildSa, childKey, type IkeSa, type Loaded } from '../../app/swanctl/loaded.ts';
import { formatSelector } from '../../app/swanctl/selector-text.ts';

/** Everything of a configuration loaded, every trap installed. */
export function loaded(config: HostConfig, ...ikeSas: readonly IkeSa[]): Loaded {
  return {
    connections: new Map(
      config.connections.map((connection) => [connection.name, loadedConnection(connection)]),
    ),
    ikeSas,
    traps: new Set(
      config.connections.flatMap(({ name, children }) =>
        children
          .filter(({ startAction }) => startAction === 'trap')
          .map((child) => childKey(name, child.name)),
      ),
    ),
  };
}

function loadedConnection(connection: Connection): NonNullable<ReturnType<Loaded['connections']['get']>> {
  const isPeer = connection.kind === 'peer';
  return {
    localAddresses: [isPeer ? connection.localAddress : '127.0.0.1'],
    remoteAddresses: [isPeer ? connection.remoteAddress : '127.0.0.1'],
    children: new Map(
      connection.children.map(({ name, mode, localTs, remoteTs }) => [
        name,
        {
          mode: mode.toUpperCase(),
          localTs: [formatSelector(localTs)],
          remoteTs: [formatSelector(remoteTs)],
        },
      ]),
    ),
  };
}

export function ikeSa(connection: string, uniqueId: number, changes: Partial<IkeSa> = {}): IkeSa {
  return {
    connection,
    uniqueId,
    state: 'ESTABLISHED',
    establishedSeconds: 100,
    remoteHost: '192.168.206.3',
    remoteId: 'CN=ipsec-controller-1',
    children: [],
    ...changes,
  };
}

export function childSa(name: string, uniqueId: number, localTs: string, remoteTs: string): ChildSa {
  return {
    name,
    uniqueId,
    reqid: 1,
    state: 'INSTALLED',
    localTs: [localTs],
    remoteTs: [remoteTs],
    bytesIn: 0,
    bytesOut: 0,
    packetsIn: 0,
    packetsOut: 0,
    installedSeconds: 50,
  };
}
