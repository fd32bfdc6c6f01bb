// From what is desired, what stands in our file and what charon says: the steps that make them equal, in an order that
// is safe to stop after any of them. What is equal gets no step. Pure: the clock and all memory come in as values.
//
// Adding, then removing, each time the file before charon (architecture, invariants 5 and 6):
//
//   initiate-ike           where a live flow is about to get its first SA with a peer: the IKE_SA alone
//   initiate               children that charon has and that get a trap: the SA first, else packets wait for it
//   write-file             the whole of what is to be loaded, before any of it is
//   install-trap           traps that someone took from children that charon has and that no load here touches
//   load-connection ...    growing ones first; within one, charon touches only children that differ
//   unload-connection ...  takes the traps away; SAs go on carrying
//   terminate-...          SAs without a desired child (left-over.ts says who ends which)
//   renewals               IKE_SAs that hold an older configuration than the one just loaded (renew.ts)
//   initiate               children that are new
//
// What the guard holds is changed around all of this by the agent, additions before and removals after.
//
// A removal that no stage has prepared (release, gone) runs the same way on one host: the file without the child, then
// a load without it, which takes it out of the living IKE_SA's configuration as well, so that the peer cannot bring it
// back; then its SA is ended. A whole connection cannot be taken out of its IKE_SA, so after the unload that IKE_SA goes
// too. What the peer still sends is dropped by its own trap or guard, never sent in plaintext.
import { isDeepStrictEqual } from 'node:util';
import type { ChildName, ConnectionName } from '../domain/host-config.ts';
import { compareText } from '../domain/problem.ts';
import { endLeftOvers } from './left-over.ts';
import { type FileState, type LoadInput, type LoadPlan, planLoads } from './load-plan.ts';
import { childKey, type Loaded } from './loaded.ts';
import { isOurs } from '../domain/names.ts';
import { renewals } from './renew.ts';
import type { Step } from './steps.ts';

/** A child that should have an SA now: there is demand, or it had one before charon restarted. */
export interface WantedChild {
  readonly connection: ConnectionName;
  readonly child: ChildName;
}

export interface DiffInput extends LoadInput {
  /** leftOverIds of an earlier pass: what was left over then and still is, has been left over long enough. */
  readonly stale?: ReadonlySet<number>;
  /** IKE_SAs with an old configuration that were ended a short while ago, and may still be there: the peer is away. */
  readonly asked?: ReadonlySet<number>;
  readonly wanted?: readonly WantedChild[];
}

export function diff(input: DiffInput): Step[] {
  const plan = planLoads(input);
  const initiate = initiations(input, plan);
  return [
    ...ikeSasFirst(input.loaded, initiate),
    ...initiate.filter((step) => isLoaded(input.loaded, step)),
    ...fileSteps(input.file, plan),
    ...missingTraps(input, plan),
    ...plan.loads.map((connection): Step => ({ kind: 'load-connection', connection })),
    ...unloads(input),
    ...endLeftOvers(plan.config, input.loaded, input.stale ?? new Set()),
    ...renewals(input, plan, input.asked ?? new Set()),
    ...initiate.filter((step) => !isLoaded(input.loaded, step)),
  ];
}

function fileSteps(file: FileState, { config }: LoadPlan): Step[] {
  if (config.connections.length === 0) return file === undefined ? [] : [{ kind: 'remove-file' }];
  return isDeepStrictEqual(file, config) ? [] : [{ kind: 'write-file', config }];
}

/**
 * A child whose policy is gone (`swanctl --uninstall`) is equal to charon, so that a load leaves it as it is. One in a
 * connection that is about to be loaded is left to the next look: the load may change it.
 */
function missingTraps({ loaded }: DiffInput, { config, loads }: LoadPlan): Step[] {
  return config.connections
    .filter((connection) => !loads.includes(connection))
    .flatMap(({ name, children }) =>
      children
        .filter((child) => child.startAction === 'trap' && !loaded.traps.has(childKey(name, child.name)))
        .map((child): Step => ({ kind: 'install-trap', connection: name, child: child.name })),
    );
}

function unloads({ desired, loaded }: DiffInput): Step[] {
  const keep = new Set<string>(desired.connections.map(({ name }) => name));
  return [...loaded.connections.keys()]
    .filter((name) => isOurs(name) && !keep.has(name))
    .sort(compareText)
    .map((name) => ({ kind: 'unload-connection', name: name as ConnectionName }));
}

type Initiate = Extract<Step, { kind: 'initiate' }>;

/** One SA a child: looked up first, because initiating what is there makes a second one (testbed: 11). */
function initiations({ wanted, loaded }: DiffInput, { config }: LoadPlan): Initiate[] {
  const tunnels = new Set(
    config.connections.flatMap((connection) =>
      connection.children
        .filter(({ mode }) => mode === 'tunnel')
        .map((child) => childKey(connection.name, child.name)),
    ),
  );
  const present = new Set(
    loaded.ikeSas.flatMap((sa) => sa.children.map((child) => childKey(sa.connection, child.name))),
  );
  return (wanted ?? [])
    .filter(({ connection, child }) => {
      const key = childKey(connection, child);
      return tunnels.has(key) && !present.has(key);
    })
    .map(({ connection, child }) => ({ kind: 'initiate', connection, child }));
}

/**
 * A flow that is plain until its SA stands loses what is sent between the moments in which the two ends install it: the peer
 * takes nothing in plaintext any more as soon as it has. With IKE_AUTH that is as long as this end takes to check certificates,
 * over a standing IKE_SA it is one answer on its way. What has a trap is held anyway, and is up sooner in one go.
 */
function ikeSasFirst({ ikeSas, traps, connections }: Loaded, initiate: readonly Initiate[]): Step[] {
  const standing = new Set(ikeSas.map(({ connection }) => connection));
  const plain = initiate.filter(
    ({ connection, child }) =>
      connections.get(connection)?.children.has(child) === true &&
      !traps.has(childKey(connection, child)) &&
      !standing.has(connection),
  );
  return [...new Set(plain.map(({ connection }) => connection))].map((connection) => ({
    kind: 'initiate-ike',
    connection,
  }));
}

function isLoaded(loaded: Loaded, { connection, child }: Initiate): boolean {
  return loaded.connections.get(connection)?.children.has(child) === true;
}
