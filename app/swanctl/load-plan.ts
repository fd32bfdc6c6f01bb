// Which connections must be sent to charon, and what that does to the IKE_SAs that are up: the first half of a diff.
//
// | charon has it | its own parameters | children | load         | IKE_SAs of it          |
// | ------------- | ------------------ | -------- | ------------ | ---------------------- |
// | yes           | equal              | equal    | no, if sent  | stay                   |
// | yes           | equal              | differ   | plain        | take up the new ones   |
// | yes           | differ             | any      | replaces it  | keep the old: loadedAt |
// | no            | -                  | any      | makes it     | keep the old: loadedAt |
import type { Connection, ConnectionName, HostConfig, PeerConnection } from '../domain/host-config.ts';
import { compareText } from '../domain/problem.ts';
import { connectionOnlyText, contentText } from './conf-text.ts';
import type { Loaded } from './loaded.ts';
import { isSameFlow } from './verify.ts';

/** The file as it was read: absent, readable, or not what our parser accepts. */
export type FileState = HostConfig | undefined | { readonly unreadable: string };

export interface LoadInput {
  readonly desired: HostConfig;
  readonly file: FileState;
  readonly loaded: Loaded;
  /** contentText of each connection that this agent has loaded over the present VICI session. */
  readonly sent: ReadonlyMap<ConnectionName, string>;
  /** RFC 3339. */
  readonly now: string;
}

export interface LoadPlan {
  /** The desired configuration with `loadedAt` filled in: what belongs into the file. */
  readonly config: HostConfig;
  /** In the order in which to load them. */
  readonly loads: readonly Connection[];
  /** Connections whose IKE_SAs, as they are now, will hold an old configuration after the loads. */
  readonly replaced: ReadonlySet<string>;
  /** Connections that get a child which their old configuration does not have. */
  readonly growing: ReadonlySet<string>;
}

export function planLoads(input: LoadInput): LoadPlan {
  const known = connectionsOf(input.file);
  const hasIkeSa = new Set(input.loaded.ikeSas.map((sa) => sa.connection));
  const replaced = new Set(
    input.desired.connections
      .filter((connection) => connection.kind === 'peer' && hasIkeSa.has(connection.name))
      .filter((connection) => isReplaced(connection as PeerConnection, known.get(connection.name), input))
      .map(({ name }) => name),
  );
  const config = {
    ...input.desired,
    connections: input.desired.connections.map((connection) =>
      stamped(connection, replaced.has(connection.name) ? input.now : loadedAtOf(known.get(connection.name))),
    ),
  };
  return {
    config,
    loads: config.connections
      .filter((connection) => needsLoad(connection, input))
      .sort(byGrowth(input.loaded)),
    replaced,
    growing: new Set(
      config.connections
        .filter((connection) => isGrowing(connection, known.get(connection.name), input))
        .map(({ name }) => name),
    ),
  };
}

/** The file's connections by name; none when there is no readable file. */
export function connectionsOf(file: FileState): ReadonlyMap<string, Connection> {
  const connections = file !== undefined && 'connections' in file ? file.connections : [];
  return new Map(connections.map((connection) => [connection.name, connection]));
}

/** Whether loading this makes charon drop the object that IKE_SAs hold on to (testbed: 3 and 20). */
function isReplaced(connection: PeerConnection, known: Connection | undefined, input: LoadInput): boolean {
  const loaded = input.loaded.connections.get(connection.name);
  if (loaded === undefined) return true;
  if (!sameTexts(loaded.localAddresses, [connection.localAddress])) return true;
  if (!sameTexts(loaded.remoteAddresses, [connection.remoteAddress])) return true;
  // charon does not show proposals. What we sent last tells, or else the file, which was written before it was sent. With
  // neither (a lost file and a new agent) what is there is taken to be right: IKE_SAs are not ended on a suspicion.
  const before =
    ownText(input.sent.get(connection.name)) ?? (known?.kind === 'peer' && connectionOnlyText(known));
  return typeof before === 'string' && before !== connectionOnlyText(connection);
}

function ownText(sent: string | undefined): string | undefined {
  return sent === undefined ? undefined : JSON.stringify({ ...(JSON.parse(sent) as object), children: {} });
}

function sentChildren(sent: string | undefined): string[] | undefined {
  if (sent === undefined) return undefined;
  return Object.keys((JSON.parse(sent) as { readonly children: object }).children);
}

function needsLoad(connection: Connection, { sent, loaded }: LoadInput): boolean {
  const before = sent.get(connection.name);
  if (before === undefined || before !== contentText(connection)) return true;
  const children = loaded.connections.get(connection.name)?.children;
  if (children?.size !== connection.children.length) return true;
  return connection.children.some((child) => {
    const found = children.get(child.name);
    return found === undefined || !isSameFlow(child, found);
  });
}

/** Add before remove: what only adds first, then what does both, then what only removes; otherwise by name. */
function byGrowth(loaded: Loaded): (a: Connection, b: Connection) => number {
  const rank = (connection: Connection): number => {
    const children = loaded.connections.get(connection.name)?.children;
    const desired = new Set<string>(connection.children.map(({ name }) => name));
    const removes = [...(children?.keys() ?? [])].some((name) => !desired.has(name));
    const adds = connection.children.some(({ name }) => children?.has(name) !== true);
    return removes ? (adds ? 1 : 2) : 0;
  };
  return (a, b) => rank(a) - rank(b) || compareText(a.name, b.name);
}

/** Where charon has lost the connection, what it had is what was sent, or else what the file says. */
function isGrowing(
  connection: Connection,
  known: Connection | undefined,
  { loaded, sent }: LoadInput,
): boolean {
  const before = new Set<string>(
    loaded.connections.get(connection.name)?.children.keys() ??
      sentChildren(sent.get(connection.name)) ??
      known?.children.map(({ name }) => name),
  );
  return connection.children.some(({ name }) => !before.has(name));
}

function loadedAtOf(connection: Connection | undefined): string | undefined {
  return connection?.kind === 'peer' ? connection.loadedAt : undefined;
}

/** With exactly this loadedAt: what the plan came with is not looked at. The same object when it has that already. */
function stamped(connection: Connection, loadedAt: string | undefined): Connection {
  if (connection.kind === 'local' || connection.loadedAt === loadedAt) return connection;
  const { kind, name, localAddress, remoteAddress, localCommonName, remoteCommonName } = connection;
  const own = { kind, name, localAddress, remoteAddress, localCommonName, remoteCommonName };
  const { parameters, children } = connection;
  return { ...own, parameters, ...(loadedAt === undefined ? {} : { loadedAt }), children };
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}
