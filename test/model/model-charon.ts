// A small charon that keeps what matters for our steps: connections as objects that IKE_SAs hold on to, traps, CHILD_SAs,
// and every event on them. It does what was measured of strongSwan 5.9.8 (numbers: the testbed's list, "What charon does
// with our configuration"), no more: IKE itself always succeeds.
import { type CharonAnswers } from '../../app/swanctl/loaded.ts';
import { child as section, type Tree, sections, text } from '../../app/swanctl/tree.ts';
import { connectionListing, hasPolicy, policyListing, saListing } from '../support/fake-charon-trees.ts';

/** A connection as one object: loading the same again keeps it, changing its own parameters makes a new one. */
export interface ModelConnection {
  readonly name: string;
  readonly own: string;
  tree: Tree;
}

export interface ModelIkeSa {
  readonly uniqueId: number;
  /** The object it was made from, loaded still or not (20). */
  readonly from: ModelConnection;
  readonly establishedMs: number;
  readonly childSas: ModelChildSa[];
}

export interface ModelChildSa {
  readonly name: string;
  readonly uniqueId: number;
  readonly config: Tree;
}

export class ModelCharon {
  readonly connections = new Map<string, ModelConnection>();
  ikeSas: ModelIkeSa[] = [];
  /** `connection/child` of every installed policy. */
  readonly traps = new Set<string>();
  /** `trap- connection/child`, `trap+ ...`, `sa- ...`: everything that a flow could notice. */
  readonly events: string[] = [];
  nowMs = Date.parse('2026-11-24T00:00:00Z');
  #nextId = 1;

  /** 1: equal, nothing. 2: equal but for children, only those that differ, removed ones first. 3: else all its traps. */
  load(name: string, tree: Tree): void {
    const before = this.connections.get(name);
    const own = JSON.stringify({ ...tree, children: {} });
    const keep = before?.own === own;
    const differing = (a: Tree, b: Tree): Tree =>
      Object.fromEntries(
        childrenOf(a).filter(([key, value]) => !keep || !equal(section(children(b), key), value)),
      );
    for (const [key, value] of sections(differing(before?.tree ?? {}, tree)))
      this.#trap('-', name, key, value);
    for (const [key, value] of sections(differing(tree, before?.tree ?? {})))
      this.#trap('+', name, key, value);
    if (keep) before.tree = tree;
    else this.connections.set(name, { name, own, tree });
  }

  /** SAs go on carrying (10). */
  unload(name: string): void {
    for (const [key, value] of childrenOf(this.connections.get(name)?.tree ?? {}))
      this.#trap('-', name, key, value);
    this.connections.delete(name);
  }

  /** swanctl --load-conns: loads what is in the files, unloads what is not. */
  loadConns(files: ReadonlyMap<string, Tree>): void {
    for (const [name, tree] of files) this.load(name, tree);
    for (const name of [...this.connections.keys()]) if (!files.has(name)) this.unload(name);
  }

  /** An SA for a loaded child, over an IKE_SA that is there or a new one. False when it is not loaded. */
  initiate(name: string, childName: string): boolean {
    const connection = this.connections.get(name);
    const config = connection && section(children(connection.tree), childName);
    if (connection === undefined || config === undefined || text(config, 'mode') !== 'tunnel') return false;
    let ikeSa = this.ikeSas.find(({ from }) => from.name === name);
    if (ikeSa === undefined) {
      ikeSa = { uniqueId: this.#nextId++, from: connection, establishedMs: this.nowMs, childSas: [] };
      this.ikeSas.push(ikeSa);
    }
    ikeSa.childSas.push({ name: childName, uniqueId: this.#nextId++, config });
    return true;
  }

  /** Traffic that meets a trap; with an SA up it only uses that. */
  traffic(name: string, childName: string): void {
    if (!this.traps.has(`${name}/${childName}`)) return;
    if (!this.#childSas(name).some((sa) => sa.name === childName)) this.initiate(name, childName);
  }

  terminateChild(uniqueId: number): void {
    for (const ikeSa of this.ikeSas) {
      const index = ikeSa.childSas.findIndex((sa) => sa.uniqueId === uniqueId);
      const [ended] = index < 0 ? [] : ikeSa.childSas.splice(index, 1);
      if (ended !== undefined) this.events.push(`sa- ${ikeSa.from.name}/${ended.name}`);
    }
  }

  terminateIke(uniqueId: number): void {
    const ikeSa = this.ikeSas.find((sa) => sa.uniqueId === uniqueId);
    for (const sa of ikeSa?.childSas.slice() ?? []) this.terminateChild(sa.uniqueId);
    this.ikeSas = this.ikeSas.filter((sa) => sa !== ikeSa);
  }

  /** swanctl --install: also when it is there. */
  installTrap(name: string, childName: string): void {
    if (!this.traps.has(`${name}/${childName}`)) this.#put(name, childName);
  }

  /** swanctl --uninstall: the child stays loaded, and loading it again puts nothing back (1). */
  uninstallTrap(name: string, childName: string): void {
    this.traps.delete(`${name}/${childName}`);
  }

  /** 9: a new charon knows nothing. */
  restart(): void {
    this.connections.clear();
    this.ikeSas = [];
    this.traps.clear();
  }

  /** What list-conns, list-sas and list-policies say. */
  answers(): CharonAnswers {
    const ports = { 'udp/53': 'domain', 'tcp/443': 'https' };
    const loaded = [...this.connections.values()];
    return {
      connections: loaded.map(({ name, tree }) => connectionListing(name, tree, ports)),
      policies: loaded.flatMap(({ name, tree }) =>
        childrenOf(tree)
          .filter(([key]) => this.traps.has(`${name}/${key}`))
          .map(([key, config]) => policyListing(name, key, config, ports)),
      ),
      sas: this.ikeSas.map(({ uniqueId, from, establishedMs, childSas }) => {
        const listing = saListing({ name: from.name, uniqueId, config: from.tree, childSas }, ports);
        const seconds = Math.floor(this.nowMs / 1000) - Math.floor(establishedMs / 1000);
        return { [from.name]: { ...section(listing, from.name), established: String(seconds) } };
      }),
    };
  }

  #childSas(name: string): ModelChildSa[] {
    return this.ikeSas.filter(({ from }) => from.name === name).flatMap(({ childSas }) => childSas);
  }

  #trap(sign: '+' | '-', connection: string, name: string, config: Tree): void {
    if (sign === '-') this.#take(connection, name);
    else if (hasPolicy(config)) this.#put(connection, name);
  }

  #put(connection: string, name: string): void {
    this.events.push(`trap+ ${connection}/${name}`);
    this.traps.add(`${connection}/${name}`);
  }

  #take(connection: string, name: string): void {
    if (this.traps.delete(`${connection}/${name}`)) this.events.push(`trap- ${connection}/${name}`);
  }
}

function children(tree: Tree): Tree {
  return section(tree, 'children') ?? {};
}

export function childrenOf(tree: Tree): [string, Tree][] {
  return sections(children(tree));
}

export function equal(a: Tree | undefined, b: Tree | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
