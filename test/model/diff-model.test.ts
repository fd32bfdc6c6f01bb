// Sequences of desired configurations, replayed step by step against the model charon, with traffic, crashes after any
// step, and everything that a platform does between: does it always end where it should, and does nobody notice who
// should not?
import { expect } from 'chai';
import fc from 'fast-check';
import type { HostConfig } from '../../app/domain/host-config.ts';
import { isOurs } from '../../app/domain/names.ts';
import { connectionTree } from '../../app/swanctl/host-config-tree.ts';
import { leftOvers } from '../../app/swanctl/left-over.ts';
import { readLoaded } from '../../app/swanctl/loaded.ts';
import type { Tree } from '../../app/swanctl/tree.ts';
import { verify } from '../../app/swanctl/verify.ts';
import { someHostConfig } from '../support/host-configs.ts';
import { hasPolicy } from '../support/fake-charon-trees.ts';
import { ModelHost, PLATFORM } from './model-agent.ts';
import { childrenOf, equal, type ModelConnection } from './model-charon.ts';

/** Four connections: an IKE_SA renewed in each pass, then an SA ended, then two with nothing to do. */
const MOST_PASSES = 10;

const DISTURBANCES = {
  none: () => undefined,
  'agent restarts': (host: ModelHost) => host.agentRestarts(),
  'charon restarts': (host: ModelHost) => host.charonRestarts(),
  'platform loads the files': (host: ModelHost) => host.platformLoadsConns(),
  'platform loads files without ours': (host: ModelHost) => host.charon.loadConns(PLATFORM),
  'someone takes a trap away': (host: ModelHost) => {
    const [key] = [...host.charon.traps].filter((trap) => isOurs(trap.split('/')[0] ?? ''));
    const [name, child] = key?.split('/') ?? [];
    if (name !== undefined && child !== undefined) host.charon.uninstallTrap(name, child);
  },
  'the file is lost': (host: ModelHost) => (host.file = undefined),
  'the file is damaged': (host: ModelHost) => (host.file = host.file?.slice(0, -3)),
  'the file is lost and the agent restarts': (host: ModelHost) => {
    host.file = undefined;
    host.agentRestarts();
  },
} as const;
type Disturbance = keyof typeof DISTURBANCES;

const someMove = fc.record({
  desired: someHostConfig,
  crashAfter: fc.option(fc.nat(5), { nil: undefined, freq: 2 }),
  before: fc.constantFrom(...(Object.keys(DISTURBANCES) as Disturbance[])),
  afterCrash: fc.constantFrom<Disturbance>('none', 'platform loads the files', 'charon restarts'),
  traffic: fc.array(fc.nat(7), { maxLength: 4 }),
});

describe('diff, replayed', function () {
  this.timeout(30_000);

  it('ends with file and charon as desired, and then has nothing to do', () => {
    replay((host, desired) => {
      expect(ours(host)).to.deep.equal(trees(desired));
      expect(host.files()).to.deep.equal(new Map([...PLATFORM, ...trees(desired)]));
      const loaded = readLoaded(host.charon.answers());
      expect(verify(desired, loaded).missing).to.deep.equal([]);
      expect(leftOvers(desired, loaded)).to.deep.equal([]);
      expect(host.pass(desired)).to.deep.equal([]);
    });
  });

  it('leaves no IKE_SA with an old configuration', () => {
    replay((host) => {
      for (const { from } of host.charon.ikeSas)
        expect(host.charon.connections.get(from.name)).to.equal(from);
    }, UNKNOWABLE);
  });
});

/** Without file and memory nobody knows which parameters charon has; IKE_SAs are not ended on a suspicion. */
const UNKNOWABLE: readonly Disturbance[] = [
  'the file is lost',
  'the file is damaged',
  'the file is lost and the agent restarts',
];

/** Every move of every sequence; `settled` after each. What must hold after every single step is checked on the way. */
function replay(
  settled: (host: ModelHost, desired: HostConfig) => void,
  without: readonly Disturbance[] = [],
): void {
  fc.assert(
    fc.property(fc.array(someMove, { minLength: 1, maxLength: 5 }), (moves) => {
      const host = new ModelHost();
      for (const { desired, crashAfter, before, afterCrash, traffic } of moves) {
        send(host, traffic);
        if (!without.includes(before)) DISTURBANCES[before](host);
        watchedPass(host, desired, crashAfter);
        // Unloaded and loaded again between two looks of ours: charon shows no trace of that, so no diff can see it.
        const unseen =
          before === 'platform loads files without ours' && afterCrash === 'platform loads the files';
        if (crashAfter !== undefined && !unseen) DISTURBANCES[afterCrash](host);
        settle(host, desired);
        settled(host, desired);
      }
    }),
    { numRuns: 200 },
  );
}

/** Passes until two in a row had nothing to do: an SA that waits for its client's host gives no step in its first one. */
function settle(host: ModelHost, desired: HostConfig): void {
  for (let pass = 1, idle = 0; idle < 2; pass += 1) {
    expect(pass).to.be.below(MOST_PASSES);
    idle = watchedPass(host, desired) === 0 ? idle + 1 : 0;
  }
}

/** One pass; returns its number of steps. */
function watchedPass(host: ModelHost, desired: HostConfig, crashAfter?: number): number {
  const quiet = untouched(host, desired);
  const eventsBefore = host.charon.events.length;
  const steps = host.pass(desired, () => fileIsEqualOrAhead(host, desired), crashAfter);
  const noticed = host.charon.events.slice(eventsBefore).map((event) => event.slice(event.indexOf(' ') + 1));
  expect(noticed.filter((key) => quiet.has(key) || !isOurs(key.split('/')[0] ?? ''))).to.deep.equal([]);
  expect(host.charon.connections.get('system-nodes')?.tree).to.equal(PLATFORM.get('system-nodes'));
  for (const step of steps) {
    if ('connection' in step && typeof step.connection === 'string')
      expect(isOurs(step.connection)).to.be.true;
    if ('name' in step) expect(isOurs(step.name)).to.be.true;
  }
  return steps.length;
}

/** Invariant 6: what a platform `--load-conns` would load is what is loaded, or already what is desired. */
function fileIsEqualOrAhead(host: ModelHost, desired: HostConfig): void {
  const file = new Map([...host.files()].filter(([name]) => isOurs(name)));
  const isAhead = equalTrees(file, trees(desired));
  if (!isAhead) expect(ours(host)).to.deep.equal(file);
}

/** connection/child of everything that is loaded as it is desired, its connection and IKE_SA too: it must see no event. */
function untouched(host: ModelHost, desired: HostConfig): Set<string> {
  return new Set(
    [...trees(desired)].flatMap(([name, tree]) => {
      const loaded = host.charon.connections.get(name);
      if (loaded === undefined || !hasOwn(loaded, tree)) return [];
      if (host.charon.ikeSas.some(({ from }) => from.name === name && from !== loaded)) return [];
      const children = new Map(childrenOf(loaded.tree));
      return childrenOf(tree)
        .filter(([child, config]) => equal(children.get(child), config))
        .filter(([child, config]) => !hasPolicy(config) || host.charon.traps.has(`${name}/${child}`))
        .map(([child]) => `${name}/${child}`);
    }),
  );
}

function hasOwn(loaded: ModelConnection, tree: Tree): boolean {
  return loaded.own === JSON.stringify({ ...tree, children: {} });
}

function send(host: ModelHost, traffic: readonly number[]): void {
  const children = [...host.charon.connections].flatMap(([name, { tree }]) =>
    childrenOf(tree).map(([child]) => [name, child] as const),
  );
  for (const index of traffic) {
    const [name, child] = children[index] ?? [];
    if (name !== undefined && child !== undefined) host.charon.traffic(name, child);
  }
}

function ours(host: ModelHost): Map<string, Tree> {
  return new Map(
    [...host.charon.connections].filter(([name]) => isOurs(name)).map(([name, { tree }]) => [name, tree]),
  );
}

function trees(config: HostConfig): Map<string, Tree> {
  return new Map(config.connections.map((connection) => [connection.name, connectionTree(connection)]));
}

function equalTrees(a: ReadonlyMap<string, Tree>, b: ReadonlyMap<string, Tree>): boolean {
  return a.size === b.size && [...a].every(([name, tree]) => equal(b.get(name), tree));
}
