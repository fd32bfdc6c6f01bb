// The commands of charon that this project uses, with typed arguments and results, over one session. Names only go
// through if they can also stand in swanctl's file. What to load, end or initiate is decided elsewhere.
import { child as section, list, text } from '../swanctl/tree.ts';
import type { Tree } from '../swanctl/tree.ts';
import { ViciClosedError, ViciCommandError, ViciProtocolError } from './errors.ts';
import { openSession } from './session.ts';
import type { EventHandler, Session, SessionOptions } from './session.ts';

export type { CommandOutcome } from './session.ts';

export interface CharonVersion {
  readonly daemon: string;
  readonly version: string;
  readonly sysname: string;
  readonly release: string;
}

/** Which SAs are meant: all that match every given field; of the children, or of the IKE_SAs when no child is given. */
export interface SaSelector {
  readonly ike?: string;
  readonly child?: string;
  /** `uniqueid` of an IKE_SA in list-sas. */
  readonly ikeId?: number;
  /** `uniqueid` of a CHILD_SA in list-sas. */
  readonly childId?: number;
}

export interface TerminateOptions extends SaSelector {
  /** Ends an IKE_SA at once, without waiting for the peer to agree. */
  readonly force?: boolean;
  /** How long charon waits for each SA in turn to be gone; -1 is not at all, the choice for many. No other command is answered meanwhile. */
  readonly timeoutMs: number;
}

/**
 * A connection to one charon process. Calls may be made without awaiting the ones before: charon works through them in
 * the order of the calls, and one that it refuses (ViciCommandError) does not touch the others. When the connection is
 * lost everything unanswered rejects with ViciClosedError, and whether charon did it is unknown.
 */
export interface Charon {
  version(): Promise<CharonVersion>;
  /** stats: uptime, workers, memory, numbers of IKE_SAs, plugins. */
  stats(): Promise<Tree>;
  /** load-conn: adds the connection, or changes the loaded one of that name to this. `config` is what stands inside its section. */
  loadConnection(name: string, config: Tree): Promise<void>;
  /** unload-conn. A connection that is not loaded is a ViciCommandError. SAs stay. */
  unloadConnection(name: string): Promise<void>;
  /** get-conns: the names of connections loaded over VICI, the platform's among them. */
  connectionNames(): Promise<readonly string[]>;
  /** list-conns: one tree `{<name>: {...}}` for each. charon leaves out, unsaid, one whose listing is above 512 KiB. */
  listConnections(filter?: { readonly ike?: string }): Promise<Tree[]>;
  /** list-sas: one tree `{<name>: {..., child-sas: {...}}}` for each IKE_SA. `noblock` leaves out IKE_SAs that are busy. */
  listSas(filter?: { readonly ike?: string; readonly noblock?: boolean }): Promise<Tree[]>;
  /** list-policies: one tree `{<connection>/<child>: {...}}` for each installed policy of the wanted kinds. */
  listPolicies(kinds: {
    readonly trap?: boolean;
    readonly drop?: boolean;
    readonly pass?: boolean;
  }): Promise<Tree[]>;
  /**
   * initiate: `timeoutMs` is how long charon waits for the CHILD_SA, -1 not at all. No other command is answered meanwhile.
   * Without a child it is an IKE_SA alone (RFC 6023), for which there must be none yet: charon would wait for one in vain.
   */
  initiate(options: {
    readonly ike: string;
    readonly child?: string;
    readonly timeoutMs: number;
  }): Promise<void>;
  /** install: the trap or pass policy of a loaded child, whatever its start_action. One that is there stays as it is. */
  installTrap(options: { readonly ike: string; readonly child: string }): Promise<void>;
  /** terminate. Nothing there to end is `matches: 0`, not an error; a ViciCommandError when not all could be ended. */
  terminate(options: TerminateOptions): Promise<{ readonly terminated: number; readonly matches: number }>;
  /** rekey, queued by charon and not waited for; `reauth` makes an IKE_SA from scratch instead. Nothing there is `matches: 0`. */
  rekey(options: SaSelector & { readonly reauth?: boolean }): Promise<{ readonly matches: number }>;
  /** Calls the handler for these events until the connection ends; resolves when charon has confirmed all. */
  onEvent(names: readonly string[], handler: EventHandler): Promise<void>;
  /** Settles once, when the connection is over: undefined after close(), else why. Never rejects. */
  readonly closed: Promise<Error | undefined>;
  close(): void;
}

/** Rejects with ViciClosedError when charon does not listen there. */
export async function connectCharon(options: SessionOptions): Promise<Charon> {
  const session = counting(await openSession(options), options.onCommand);
  return charonOver(session, options.timeoutMs);
}

type RetryOfRefusal = ViciCommandError['retry'];

type Asking = Pick<Session, 'request' | 'stream' | 'listen' | 'closed' | 'close'>;

/** The session, with each command told of when its answer is there. */
function counting(session: Session, onCommand: SessionOptions['onCommand']): Asking {
  if (onCommand === undefined) return session;
  const told = async <T>(command: string, asked: Promise<T>, answer: (result: T) => Tree): Promise<T> => {
    try {
      const result = await asked;
      const response = answer(result);
      const isRefused = text(response, 'success') === 'no' && text(response, 'matches') !== '0';
      onCommand(command, isRefused ? 'refused' : 'done');
      return result;
    } catch (error) {
      onCommand(command, error instanceof ViciClosedError ? 'lost' : 'refused');
      throw error;
    }
  };
  return {
    request: (command, message, waitMs) =>
      told(command, session.request(command, message, waitMs), (response) => response),
    stream: (command, event, message) =>
      told(command, session.stream(command, event, message), ({ response }) => response),
    listen: (event, handler) => session.listen(event, handler),
    closed: session.closed,
    close: () => session.close(),
  };
}

function charonOver(session: Asking, timeoutMs: number): Charon {
  const command = async (name: string, message: Tree, retry: RetryOfRefusal, waitMs = -1): Promise<Tree> =>
    succeeded(name, await session.request(name, message, timeoutMs + Math.max(0, waitMs)), retry);
  const streamed = async (name: string, event: string, message: Tree): Promise<Tree[]> => {
    const { messages, response } = await session.stream(name, event, message);
    succeeded(name, response, 'soon');
    return messages;
  };
  return {
    version: async () => readVersion(await session.request('version', {})),
    stats: () => session.request('stats', {}),
    loadConnection: async (name, config) => {
      checkNames([name, ...childNames(config)]);
      await command('load-conn', { [name]: config }, 'on-change');
    },
    unloadConnection: async (name) => {
      checkNames([name]);
      await command('unload-conn', { name }, 'on-change');
    },
    connectionNames: async () => list(await session.request('get-conns', {}), 'conns'),
    listConnections: (filter = {}) => streamed('list-conns', 'list-conn', present({ ike: filter.ike })),
    listSas: (filter = {}) =>
      streamed('list-sas', 'list-sa', present({ ike: filter.ike, noblock: yes(filter.noblock) })),
    listPolicies: ({ trap, drop, pass }) =>
      streamed(
        'list-policies',
        'list-policy',
        present({ trap: yes(trap), drop: yes(drop), pass: yes(pass) }),
      ),
    initiate: async ({ ike, child, timeoutMs: waitMs }) => {
      checkNames(child === undefined ? [ike] : [ike, child]);
      const message = { ...present({ child }), ike, timeout: waitText(waitMs) };
      await command('initiate', message, 'soon', waitMs);
    },
    installTrap: async ({ ike, child }) => {
      checkNames([ike, child]);
      await command('install', { child, ike }, 'soon');
    },
    terminate: async ({ force, timeoutMs: waitMs, ...selector }) => {
      const message = {
        ...selectorTree(selector),
        timeout: waitText(waitMs),
        ...present({ force: yes(force) }),
      };
      const response = await session.request('terminate', message, timeoutMs + Math.max(0, waitMs));
      return { terminated: count(response, 'terminated'), matches: matched('terminate', response) };
    },
    rekey: async ({ reauth, ...selector }) => {
      const message = { ...selectorTree(selector), ...present({ reauth: yes(reauth) }) };
      return { matches: matched('rekey', await session.request('rekey', message)) };
    },
    onEvent: async (names, handler) => {
      await Promise.all(names.map((name) => session.listen(name, handler)));
    },
    closed: session.closed,
    close: () => session.close(),
  };
}

/** Throws ViciCommandError when charon says `success = no`; listing commands say nothing when they succeed. */
function succeeded(command: string, response: Tree, retry: RetryOfRefusal): Tree {
  if (text(response, 'success') === 'no')
    throw new ViciCommandError(command, text(response, 'errmsg') ?? 'no reason given', retry);
  return response;
}

/** How many SAs a command found. charon calls it a failure when there are none; for us it is an answer. */
function matched(command: string, response: Tree): number {
  const matches = count(response, 'matches');
  if (matches > 0 || text(response, 'matches') === undefined) succeeded(command, response, 'soon');
  return matches;
}

function count(response: Tree, key: string): number {
  const value = text(response, key) ?? '0';
  if (!/^\d{1,10}$/.test(value)) throw new ViciProtocolError(`"${key}" is no number: ${value.slice(0, 40)}`);
  return Number(value);
}

function readVersion(response: Tree): CharonVersion {
  const field = (key: string): string => text(response, key) ?? 'unknown';
  return {
    daemon: field('daemon'),
    version: field('version'),
    sysname: field('sysname'),
    release: field('release'),
  };
}

function selectorTree({ ike, child, ikeId, childId }: SaSelector): Tree {
  checkNames([ike, child].filter((name) => name !== undefined));
  for (const id of [ikeId, childId])
    if (id !== undefined && !(Number.isSafeInteger(id) && id > 0)) throw new Error(`no SA has the id ${id}`);
  const tree = present({ ike, child, 'ike-id': ikeId?.toString(), 'child-id': childId?.toString() });
  if (Object.keys(tree).length === 0) throw new Error('no SA is selected');
  return tree;
}

/** charon reads 0 as "wait for ever", which would stop the session. */
function waitText(waitMs: number): string {
  if (waitMs !== -1 && !(Number.isSafeInteger(waitMs) && waitMs > 0))
    throw new Error(`timeoutMs must be -1 or a positive whole number, not ${waitMs}`);
  return String(waitMs);
}

/** A dot is fine over VICI and a syntax error in swanctl's file, which makes the platform unload everything. */
function checkNames(names: readonly string[]): void {
  for (const name of names)
    if (!/^[A-Za-z0-9_-]{1,255}$/.test(name))
      throw new Error(`bad connection or child name ${JSON.stringify(name)}`);
}

function childNames(config: Tree): string[] {
  return Object.keys(section(config, 'children') ?? {});
}

function yes(flag: boolean | undefined): 'yes' | undefined {
  return flag === true ? 'yes' : undefined;
}

/** Only the keys that have a value: charon takes a key that is there, whatever its value, as set. */
function present(fields: Readonly<Record<string, string | undefined>>): Tree {
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined),
  );
}
