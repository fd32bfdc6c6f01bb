// charon as a VICI client sees it, without IKE: a server on a Unix socket that keeps connections and SAs, answers in
// order as charon does, and can be made to refuse, hang, crash or stutter. What it lists looks like charon's listing.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tree } from '../../app/swanctl/tree.ts';
import { FakeClient } from './fake-charon-client.ts';
import { answer, emit, establish, newState } from './fake-charon-commands.ts';
import type { FakeCommand } from './fake-charon-commands.ts';
import type { FakeIkeSa, PortNames } from './fake-charon-trees.ts';

export interface FakeCharonOptions {
  /** Default: a new socket in a new temporary directory. */
  readonly path?: string;
  /** Everything it sends is cut into pieces of so many bytes, which arrive one by one. */
  readonly pieceBytes?: number;
  /** Default: those of a usual /etc/services that matter in tests. */
  readonly ports?: PortNames;
}

export interface FakeCharon {
  readonly path: string;
  /** Every command of every client since the start, in the order they were worked on. */
  readonly commands: FakeCommand[];
  /** What is loaded, as load-conn had it, by name. A test may fill it: the platform's connections. */
  readonly connections: Map<string, Tree>;
  /** What is established; a test may change it (establish() is the usual way). */
  readonly sas: FakeIkeSa[];
  /** Names of commands and events that this charon does not know. */
  readonly unknown: Set<string>;
  /** Answers `success = no` from now on, or so many times, to that command (when the message is one of those meant). */
  refuse(
    command: string,
    errmsg: string,
    options?: { readonly times?: number; readonly when?: (message: Tree) => boolean },
  ): void;
  /** Works on nothing any more that comes after a command of that name, itself included, until the result is called. */
  hold(command: string): () => void;
  /** Resolves when a command of that name has arrived (held ones too). */
  arrived(command: string): Promise<void>;
  /** As if the peer had set it up: an IKE_SA if there is none, a CHILD_SA of a loaded child; events as charon's. */
  establish(connection: string, child: string): void;
  /** As `swanctl --uninstall` does: a trap or pass policy goes, its child stays loaded. */
  uninstall(connection: string, child: string): void;
  /** Sends an event to every client that registered it, as often as it did. */
  emit(event: string, message: Tree): void;
  /** Sends bytes to every client, whatever they mean. */
  sendRaw(bytes: Uint8Array): void;
  /** Closes every client's connection, keeps what is loaded. */
  dropClients(): void;
  /** charon died and was started again: clients are gone, nothing is loaded, nothing established. */
  restart(): void;
  /** After a restart: the platform has loaded its credentials and its own connection. */
  loadPlatform(): void;
  /** Ends it; the socket is gone. */
  stop(): Promise<void>;
}

const PORTS: PortNames = {
  'tcp/53': 'domain',
  'udp/53': 'domain',
  'tcp/80': 'http',
  'tcp/443': 'https',
  'udp/443': 'https',
  'tcp/8080': 'http-alt',
};

/** Starts one; it listens when the promise resolves. */
export async function startFakeCharon(options: FakeCharonOptions = {}): Promise<FakeCharon> {
  const directory = options.path === undefined ? mkdtempSync(join(tmpdir(), 'fake-charon-')) : undefined;
  const path = options.path ?? join(directory ?? '', 'charon.vici');
  const state = newState(options.ports ?? PORTS);
  const server = createServer((socket) => {
    const client: FakeClient = new FakeClient(socket, {
      ...(options.pieceBytes !== undefined && { pieceBytes: options.pieceBytes }),
      onArrival: (command) => state.arrivals.get(command)?.forEach((wake) => wake()),
      isHeld: (command) => state.held.has(command),
      answer: (packet) => answer(state, client, packet),
      onClose: () => state.clients.delete(client),
    });
    state.clients.add(client);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  const dropClients = (): void => state.clients.forEach((client) => client.destroy());
  return {
    path,
    commands: state.commands,
    connections: state.connections,
    sas: state.sas,
    unknown: state.unknown,
    refuse: (command, errmsg, { times = Infinity, when = () => true } = {}) => {
      state.refusals.push({ command, errmsg, when, times });
    },
    hold: (command) => {
      state.held.add(command);
      return () => {
        state.held.delete(command);
        state.clients.forEach((client) => client.work());
      };
    },
    arrived: (command) =>
      new Promise((resolve) => {
        if ([...state.clients].some((client) => client.isWaiting(command))) resolve();
        else state.arrivals.set(command, [...(state.arrivals.get(command) ?? []), resolve]);
      }),
    establish: (connection, child) => establish(state, connection, child),
    uninstall: (connection, child) => state.changedPolicies.set(`${connection}/${child}`, false),
    emit: (event, message) => emit(state, event, message),
    sendRaw: (bytes) => state.clients.forEach((client) => client.sendBytes(Buffer.from(bytes))),
    dropClients,
    restart: () => {
      dropClients();
      state.connections.clear();
      state.changedPolicies.clear();
      state.sas.length = 0;
    },
    loadPlatform: () => {
      state.connections.set('system-nodes', { children: {} });
    },
    stop: async () => {
      dropClients();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}
