// Invariant 4 and the half of invariant 2 that names have: every name is ours by its look, unique, kept for life, and
// depends on nothing but plan, file and charon's names.
import { expect } from 'chai';
import fc from 'fast-check';
import type { HostName } from '../../app/domain/facts.ts';
import type { Child, HostConfig, HostPlan } from '../../app/domain/host-config.ts';
import { assignNames, isOurs } from '../../app/domain/names.ts';
import { planHost } from '../../app/domain/plan-host.ts';
import { hostName } from '../support/facts-builders.ts';
import { shuffled, someFacts } from '../support/facts-arbitraries.ts';

const SELF = hostName('controller-0');
const somePlan = someFacts.map((facts) => planHost(facts, selfOf(facts.hosts.map((host) => host.name))));

describe('assignNames, for any plans', () => {
  it('makes names that match the pattern, are ours and are unique within a connection', () => {
    fc.assert(
      fc.property(somePlan, (plan) => {
        const { connections } = assignNames(plan, undefined, new Map());
        for (const { name, children } of connections) {
          expect(name).to.match(/^k8s-node-[A-Za-z0-9_-]+$/);
          expect(isOurs(name)).to.equal(true);
          const names = children.map((child) => child.name);
          for (const child of names)
            expect(child).to.match(/^(tcp|udp)_[A-Za-z0-9_-]+_(egress|ingress)(-\d+)?$/);
          for (const text of [name, ...names]) expect(text).not.to.contain('system-nodes');
          expect(new Set(names).size).to.equal(names.length);
        }
        expect(new Set(connections.map(({ name }) => name)).size).to.equal(connections.length);
      }),
    );
  });

  it('gives the same bytes for a plan in any order, with any file', () => {
    fc.assert(
      fc.property(somePlan, somePlan, fc.nat(), (plan, before, seed) => {
        const file = assignNames(before, undefined, new Map());
        expect(JSON.stringify(assignNames(shuffled(plan, seed), shuffled(file, seed), new Map()))).to.equal(
          JSON.stringify(assignNames(plan, file, new Map())),
        );
      }),
    );
  });

  it('is done after one pass: its own result gives the same bytes, whatever charon has', () => {
    fc.assert(
      fc.property(somePlan, somePlan, (plan, before) => {
        const file = assignNames(before, undefined, new Map());
        const once = assignNames(plan, file, charonNames([file]));
        expect(JSON.stringify(assignNames(plan, once, charonNames([file, once])))).to.equal(
          JSON.stringify(once),
        );
      }),
    );
  });

  it('keeps a name for life and takes none that the file or charon has, through any sequence of plans', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(somePlan, fc.boolean()), { minLength: 2, maxLength: 8 }), (steps) => {
        let file: HostConfig | undefined;
        let inCharon: HostConfig[] = [];
        for (const [plan, charonLags] of steps) {
          const next = assignNames(plan, file, charonNames(inCharon));
          if (file !== undefined) expectKept(file, next, charonNames([...inCharon, file]));
          inCharon = charonLags ? [...inCharon, next] : [next];
          file = next;
        }
      }),
    );
  });
});

/** A child that was there has its name; a new one has none that was taken. */
function expectKept(
  before: HostConfig,
  after: HostConfig,
  taken: ReadonlyMap<string, ReadonlySet<string>>,
): void {
  const old = byFlow(before);
  for (const [flow, child] of byFlow(after)) {
    const [connection = ''] = flow.split(' ');
    const kept = old.get(flow);
    if (kept !== undefined) expect(child.name, flow).to.equal(kept.name);
    else expect(taken.get(connection)?.has(child.name) ?? false, `${flow} ${child.name}`).to.equal(false);
  }
}

function byFlow(config: HostConfig): Map<string, Child> {
  return new Map(
    config.connections.flatMap((connection) =>
      connection.children.map((child): [string, Child] => [
        `${connection.name} ${child.mode} ${JSON.stringify([child.localTs, child.remoteTs])}`,
        child,
      ]),
    ),
  );
}

function charonNames(configs: readonly HostConfig[]): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const connection of configs.flatMap((config) => config.connections))
    names.set(
      connection.name,
      new Set([...(names.get(connection.name) ?? []), ...connection.children.map((child) => child.name)]),
    );
  return names;
}

function selfOf(hosts: readonly HostName[]): HostPlan['host'] {
  return hosts.includes(SELF) ? SELF : (hosts[0] ?? SELF);
}
