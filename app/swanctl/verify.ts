// Is what is desired in force, as far as charon's answers tell? Selectors of what is loaded come with names of ports and
// without parameters (testbed: 16); that those are right is made sure of by loading (diff.ts), not here.
import type { Child, ChildName, Connection, ConnectionName, HostConfig } from '../domain/host-config.ts';
import { childKey, type Loaded, type LoadedChild } from './loaded.ts';
import { agrees } from './selector-text.ts';

export interface Missing {
  readonly connection: ConnectionName;
  readonly child: ChildName;
  /** not-loaded: charon has no such child. other-selectors: it has, for another flow. no-trap: neither policy nor SA. */
  readonly reason: 'not-loaded' | 'other-selectors' | 'no-trap';
}

export interface Verification {
  /** childKey of every desired child that is in force. */
  readonly inForce: ReadonlySet<string>;
  /** In the order of the configuration. */
  readonly missing: readonly Missing[];
}

export function verify(desired: HostConfig, loaded: Loaded): Verification {
  const held = new Set([...loaded.traps, ...installedChildKeys(loaded)]);
  const inForce = new Set<string>();
  const missing: Missing[] = [];
  for (const connection of desired.connections)
    for (const child of connection.children) {
      const reason = whatIsMissing(connection, child, loaded, held);
      if (reason === undefined) inForce.add(childKey(connection.name, child.name));
      else missing.push({ connection: connection.name, child: child.name, reason });
    }
  return { inForce, missing };
}

/** childKey of every child with an installed CHILD_SA. */
export function installedChildKeys(loaded: Loaded): Set<string> {
  return new Set(
    loaded.ikeSas.flatMap((ikeSa) =>
      ikeSa.children
        .filter(({ state }) => state === 'INSTALLED' || state === 'REKEYING')
        .map(({ name }) => childKey(ikeSa.connection, name)),
    ),
  );
}

function whatIsMissing(
  connection: Connection,
  child: Child,
  loaded: Loaded,
  held: ReadonlySet<string>,
): Missing['reason'] | undefined {
  const found = loaded.connections.get(connection.name)?.children.get(child.name);
  if (found === undefined) return 'not-loaded';
  if (!isSameFlow(child, found)) return 'other-selectors';
  return child.startAction === 'none' || held.has(childKey(connection.name, child.name))
    ? undefined
    : 'no-trap';
}

/** Whether what charon has under the child's name is the child, as far as it prints it. */
export function isSameFlow(child: Child, { localTs, remoteTs, mode }: LoadedChild): boolean {
  const [local = '', ...moreLocal] = localTs;
  const [remote = '', ...moreRemote] = remoteTs;
  if (moreLocal.length + moreRemote.length > 0 || mode.toLowerCase() !== child.mode) return false;
  return agrees(child.localTs, local) && agrees(child.remoteTs, remote);
}
