// What the fake charon knows and how it answers one packet. Who sends it, and what becomes of the answer, is fake-charon.ts.
import { sections, text } from '../../app/swanctl/tree.ts';
import type { Tree } from '../../app/swanctl/tree.ts';
import type { Packet } from '../../app/vici/packet.ts';
import type { FakeClient } from './fake-charon-client.ts';
import * as trees from './fake-charon-trees.ts';
import type { FakeChildSa, FakeIkeSa, PortNames } from './fake-charon-trees.ts';

export interface FakeCommand {
  readonly command: string;
  readonly message: Tree;
}

export interface Refusal {
  readonly command: string;
  readonly errmsg: string;
  readonly when: (message: Tree) => boolean;
  times: number;
}

/** What one fake charon knows. */
export interface State {
  readonly ports: PortNames;
  readonly clients: Set<FakeClient>;
  readonly commands: FakeCommand[];
  readonly connections: Map<string, Tree>;
  readonly sas: FakeIkeSa[];
  /** By `<connection>/<child>`: policies that `install` (true) or `uninstall` (false) changed after the load. */
  readonly changedPolicies: Map<string, boolean>;
  readonly unknown: Set<string>;
  readonly held: Set<string>;
  readonly arrivals: Map<string, (() => void)[]>;
  readonly refusals: Refusal[];
  nextId: number;
}

export function newState(ports: PortNames): State {
  return {
    ports,
    clients: new Set(),
    commands: [],
    connections: new Map(),
    sas: [],
    changedPolicies: new Map(),
    unknown: new Set(),
    held: new Set(),
    arrivals: new Map(),
    refusals: [],
    nextId: 1,
  };
}

/** One packet in, its answer out; what a command streams goes out before. */
export function answer(state: State, client: FakeClient, packet: Packet): Packet {
  switch (packet.kind) {
    case 'register':
      if (!EVENTS.includes(packet.name) || state.unknown.has(packet.name)) return { kind: 'event-unknown' };
      client.registered.push(packet.name);
      return { kind: 'event-confirm' };
    case 'unregister': {
      const index = client.registered.indexOf(packet.name);
      if (index < 0) return { kind: 'event-unknown' };
      client.registered.splice(index, 1);
      return { kind: 'event-confirm' };
    }
    case 'request': {
      const { name: command, message } = packet;
      state.commands.push({ command, message });
      const run = COMMANDS[command];
      if (run === undefined || state.unknown.has(command)) return { kind: 'command-unknown' };
      const refusal = state.refusals.find(
        (other) => other.command === command && other.times > 0 && other.when(message),
      );
      if (refusal === undefined) return { kind: 'response', message: run(state, message, client) };
      refusal.times -= 1;
      return { kind: 'response', message: failure(refusal.errmsg) };
    }
    default:
      throw new Error(`a client sent ${packet.kind}`);
  }
}

const EVENTS: readonly string[] = [
  'log',
  'control-log',
  'list-conn',
  'list-sa',
  'list-policy',
  'ike-updown',
  'ike-rekey',
  'ike-update',
  'child-updown',
  'child-rekey',
];

type Command = (state: State, message: Tree, client: FakeClient) => Tree;

const COMMANDS: Readonly<Record<string, Command>> = {
  version: () => ({
    daemon: 'charon',
    version: '5.9.8',
    sysname: 'Linux',
    release: '6.1.0',
    machine: 'x86_64',
  }),
  'load-conn': loadConn,
  'unload-conn': (state, message) => {
    const name = text(message, 'name') ?? '';
    keepPolicies(state, name, {});
    return state.connections.delete(name) ? SUCCESS : failure(`unload: connection '${name}' not found`);
  },
  'get-conns': (state) => ({ conns: [...state.connections.keys()] }),
  'list-conns': (state, message, client) => {
    for (const [name, config] of state.connections)
      if (name === (text(message, 'ike') ?? name))
        stream(client, 'list-conn', trees.connectionListing(name, config, state.ports));
    return {};
  },
  'list-sas': (state, message, client) => {
    for (const sa of state.sas)
      if (sa.name === (text(message, 'ike') ?? sa.name))
        stream(client, 'list-sa', trees.saListing(sa, state.ports));
    return {};
  },
  'list-policies': listPolicies,
  initiate: (state, message) => {
    const child = text(message, 'child');
    if (child === undefined) return initiateIke(state, text(message, 'ike') ?? '');
    const connection = [...state.connections].find(
      ([name, config]) => name === (text(message, 'ike') ?? name) && childConfig(config, child) !== undefined,
    );
    if (connection === undefined) return failure(`CHILD_SA config '${child}' not found`);
    establish(state, connection[0], child);
    return SUCCESS;
  },
  install: (state, message) => {
    const [connection, child] = [text(message, 'ike') ?? '', text(message, 'child') ?? ''];
    const config = state.connections.get(connection);
    if (config === undefined || childConfig(config, child) === undefined)
      return failure('configuration name not found');
    state.changedPolicies.set(`${connection}/${child}`, true);
    return SUCCESS;
  },
  terminate,
  rekey: (state, message) => {
    const count = state.sas.filter((sa) => isMeant(message, sa)).length;
    return counted(count, { matches: String(count) }, 'no matching SAs to rekey found');
  },
};

const SUCCESS: Tree = { success: 'yes' };

function failure(errmsg: string): Tree {
  return { success: 'no', errmsg };
}

function counted(count: number, counts: Tree, errmsg: string): Tree {
  return { success: count > 0 ? 'yes' : 'no', ...counts, ...(count === 0 && { errmsg }) };
}

function loadConn(state: State, message: Tree): Tree {
  for (const [name, config] of sections(message)) {
    const complaint = trees.complaint(config);
    if (complaint !== undefined) return failure(complaint);
    keepPolicies(state, name, config);
    state.connections.set(name, config);
  }
  return SUCCESS;
}

/** Only a child that is equal to the one loaded before keeps what was done to its policy. */
function keepPolicies(state: State, connection: string, config: Tree): void {
  const before = state.connections.get(connection) ?? {};
  for (const [name, child] of trees.childConfigs(before))
    if (JSON.stringify(childConfig(config, name)) !== JSON.stringify(child))
      state.changedPolicies.delete(`${connection}/${name}`);
}

function listPolicies(state: State, message: Tree, client: FakeClient): Tree {
  for (const [connection, config] of state.connections)
    for (const [name, child] of trees.childConfigs(config)) {
      const kind = trees.policyKind(child);
      const isInstalled = state.changedPolicies.get(`${connection}/${name}`) ?? trees.hasPolicy(child);
      if (isInstalled && text(message, kind) !== undefined)
        stream(client, 'list-policy', trees.policyListing(connection, name, child, state.ports));
    }
  return {};
}

/** Ends CHILD_SAs when a child is named, else whole IKE_SAs. */
function terminate(state: State, message: Tree): Tree {
  const child = text(message, 'child');
  const childId = text(message, 'child-id');
  let ended = 0;
  for (const sa of state.sas.filter((other) => isMeant(message, other))) {
    if (child === undefined && childId === undefined) {
      state.sas.splice(state.sas.indexOf(sa), 1);
      ended += 1;
      emit(state, 'ike-updown', { [sa.name]: trees.ikeSaFields(sa) });
      continue;
    }
    ended += endChildSas(state, sa, (childSa) => isMeantChild(childSa, child, childId));
  }
  return counted(
    ended,
    { matches: String(ended), terminated: String(ended) },
    'no matching SAs to terminate found',
  );
}

function endChildSas(state: State, sa: FakeIkeSa, isMeantSa: (childSa: FakeChildSa) => boolean): number {
  const meant = sa.childSas.filter(isMeantSa);
  for (const childSa of meant) {
    emit(state, 'child-updown', trees.saListing({ ...sa, childSas: [childSa] }, state.ports));
    sa.childSas.splice(sa.childSas.indexOf(childSa), 1);
  }
  return meant.length;
}

function isMeantChild(childSa: FakeChildSa, name: string | undefined, id: string | undefined): boolean {
  return (
    childSa.name === (name ?? childSa.name) && String(childSa.uniqueId) === (id ?? String(childSa.uniqueId))
  );
}

function isMeant(message: Tree, sa: FakeIkeSa): boolean {
  return (
    sa.name === (text(message, 'ike') ?? sa.name) &&
    String(sa.uniqueId) === (text(message, 'ike-id') ?? String(sa.uniqueId))
  );
}

/** Like charon, waits in vain for an IKE_SA that is there already. */
function initiateIke(state: State, connection: string): Tree {
  const config = state.connections.get(connection);
  if (config === undefined) return failure(`IKE_SA config '${connection}' not found`);
  if (state.sas.some(({ name }) => name === connection)) return failure('IKE_SA not established');
  establishIke(state, connection, config);
  return SUCCESS;
}

function establishIke(state: State, connection: string, config: Tree): State['sas'][number] {
  const sa = { name: connection, uniqueId: state.nextId++, config, childSas: [] };
  state.sas.push(sa);
  emit(state, 'ike-updown', { up: 'yes', [connection]: trees.ikeSaFields(sa) });
  return sa;
}

export function establish(state: State, connection: string, child: string): void {
  const config = state.connections.get(connection);
  const childTree = config && childConfig(config, child);
  if (config === undefined || childTree === undefined)
    throw new Error(`${connection}/${child} is not loaded`);
  const sa = state.sas.find((other) => other.name === connection) ?? establishIke(state, connection, config);
  const childSa = { name: child, uniqueId: state.nextId++, config: childTree };
  sa.childSas.push(childSa);
  emit(state, 'child-updown', { up: 'yes', ...trees.saListing({ ...sa, childSas: [childSa] }, state.ports) });
}

function childConfig(config: Tree, name: string): Tree | undefined {
  return trees.childConfigs(config).find(([other]) => other === name)?.[1];
}

export function emit(state: State, event: string, message: Tree): void {
  for (const client of state.clients)
    for (const name of client.registered) if (name === event) client.send({ kind: 'event', name, message });
}

/** Like charon, nothing at all when the client has not registered the event. */
function stream(client: FakeClient, name: string, message: Tree): void {
  if (!client.registered.includes(name)) return;
  client.send({ kind: 'event', name, message });
}
