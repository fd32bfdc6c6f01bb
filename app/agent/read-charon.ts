// What charon says it has, in one go: three listings over the same socket, one after the other as VICI answers them.
import { readLoaded, type Loaded } from '../swanctl/loaded.ts';
import type { Charon } from '../vici/charon.ts';

/** Throws ViciClosedError when charon is gone, ViciCommandError when it refuses to list. */
export async function readCharon(charon: Charon): Promise<Loaded> {
  const [connections, sas, policies] = await Promise.all([
    charon.listConnections(),
    charon.listSas(),
    charon.listPolicies({ trap: true, pass: true }),
  ]);
  return readLoaded({ connections, sas, policies });
}

/** Names in use by connection, loaded or established: none of them is free for another child. */
export function namesInCharon(loaded: Loaded): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  const add = (connection: string, children: Iterable<string>): void => {
    const known = names.get(connection) ?? new Set<string>();
    for (const child of children) known.add(child);
    names.set(connection, known);
  };
  for (const [name, connection] of loaded.connections) add(name, connection.children.keys());
  for (const sa of loaded.ikeSas)
    add(
      sa.connection,
      sa.children.map((child) => child.name),
    );
  return names;
}

/** Connections of which an IKE_SA is being negotiated. */
export function connectingNames(loaded: Loaded): Set<string> {
  return new Set(
    loaded.ikeSas.filter(({ state }) => state === 'CONNECTING').map(({ connection }) => connection),
  );
}
