// Invariants 2 and 3: a plan depends on facts only, in any order; both ends of every flow agree, and no two policies tie.
import { expect } from 'chai';
import fc from 'fast-check';
import type { Facts, HostName } from '../../app/domain/facts.ts';
import {
  compareFlows,
  flowEnd,
  flowKey,
  mirror,
  type Flow,
  type TrafficSelector,
} from '../../app/domain/flows.ts';
import type { PlannedChild } from '../../app/domain/host-config.ts';
import { contains, containsPrefix, type Address } from '../../app/domain/ip.ts';
import { planHost } from '../../app/domain/plan-host.ts';
import { priorityOf } from '../../app/domain/priorities.ts';
import { shuffled, someFacts } from '../support/facts-arbitraries.ts';

const RUNS = { numRuns: 300 };

describe('planHost, for any facts', () => {
  it('gives the same bytes for the same facts in any order', () => {
    fc.assert(
      fc.property(someFacts, fc.nat(), (facts, seed) => {
        for (const host of hostsOf(facts))
          expect(JSON.stringify(planHost(shuffled(facts, seed), host))).to.equal(
            JSON.stringify(planHost(facts, host)),
          );
      }),
      RUNS,
    );
  });

  it('gives both ends of active flows the same children, mirrored, with equal priorities', () => {
    fc.assert(
      fc.property(someFacts.map(allActive), (facts) => {
        forEachPair(facts, (client, endpointHost) => {
          const egress = tunnels(facts, client, 'egress', endpointHost);
          const ingress = tunnels(facts, endpointHost, 'ingress', client);
          expect(egress.map(mirror).map(whatBothKnow)).to.deep.equal(ingress.map(whatBothKnow));
        });
      }),
      RUNS,
    );
  });

  it('never has a client without an endpoint that answers', () => {
    fc.assert(
      fc.property(someFacts, (facts) => {
        forEachPair(facts, (client, endpointHost) => {
          const answering = tunnels(facts, endpointHost, 'ingress', client).map((child) =>
            flowKey(child.flow),
          );
          for (const child of tunnels(facts, client, 'egress', endpointHost))
            expect(answering).to.include(flowKey(child.flow));
        });
      }),
      RUNS,
    );
  });

  it('never gives one priority to two policies that match one packet', () => {
    fc.assert(
      fc.property(someFacts, (facts) => {
        for (const host of hostsOf(facts))
          for (const [a, b] of pairs(childrenOf(facts, host)).filter(matchOnePacket))
            expect(a.priority, `${flowKey(a.flow)} and ${flowKey(b.flow)}`).not.to.equal(b.priority);
      }),
      RUNS,
    );
  });

  it('has each flow once, and only between two hosts, but for pass children', () => {
    fc.assert(
      fc.property(someFacts, (facts) => {
        for (const host of hostsOf(facts)) {
          const children = childrenOf(facts, host);
          const keys = children.map((child) => flowKey(child.flow));
          expect(new Set(keys).size).to.equal(keys.length);
          for (const { flow, mode } of children) expect(flow.client === flow.host).to.equal(mode === 'pass');
        }
      }),
      RUNS,
    );
  });

  it('passes borrowed addresses before the ingress child that would catch them', () => {
    fc.assert(
      fc.property(someFacts, (facts) => {
        for (const host of hostsOf(facts)) {
          const children = childrenOf(facts, host);
          for (const pass of children.filter((child) => child.mode === 'pass')) {
            const caught = children.filter((child) => child.mode === 'tunnel' && catches(child, pass));
            expect(caught).not.to.be.empty;
            for (const child of caught) expect(pass.priority).to.be.below(child.priority);
          }
        }
      }),
      RUNS,
    );
  });
});

describe('priorityOf, for any two flows of different clients that mirror each other', () => {
  it('differs and is below the platform’s pass policies', () => {
    fc.assert(
      fc.property(someFacts.map(allActive), (facts) => {
        const children = hostsOf(facts).flatMap((host) => childrenOf(facts, host));
        for (const { priority } of children) expect(priority).to.be.within(100_000, 199_678);
        for (const [a, b] of pairs(children.map((child) => child.flow)).filter(areMirrored))
          expect(priorityOf(a)).not.to.equal(priorityOf(b));
      }),
      { numRuns: 100 },
    );
  });
});

function areMirrored([a, b]: readonly [Flow, Flow]): boolean {
  return (
    a.client !== b.client && contains(a.clientPrefix, b.endpoint) && contains(b.clientPrefix, a.endpoint)
  );
}

function matchOnePacket([a, b]: readonly [PlannedChild, PlannedChild]): boolean {
  return overlap(a.localTs, b.localTs) && overlap(a.remoteTs, b.remoteTs);
}

function pairs<T>(items: readonly T[]): (readonly [T, T])[] {
  return items.flatMap((a, i) => items.slice(i + 1).map((b) => [a, b] as const));
}

function childrenOf(facts: Facts, host: HostName): PlannedChild[] {
  return planHost(facts, host).connections.flatMap((connection) => connection.children);
}

function hostsOf(facts: Facts): HostName[] {
  return facts.hosts.map((host) => host.name);
}

function forEachPair(facts: Facts, visit: (a: HostName, b: HostName) => void): void {
  for (const a of hostsOf(facts)) for (const b of hostsOf(facts)) if (a !== b) visit(a, b);
}

/** All endpoints active, and each address on one host: what its own host has loaded is then known of every flow. */
function allActive(facts: Facts): Facts {
  const hosts = new Map<Address, HostName>();
  for (const { address, host } of facts.shards.flatMap((shard) => shard.endpoints)) hosts.set(address, host);
  return {
    ...facts,
    shards: facts.shards.map((shard) => ({
      ...shard,
      endpoints: shard.endpoints.map((endpoint) => ({
        ...endpoint,
        state: 'active',
        host: hosts.get(endpoint.address) ?? endpoint.host,
      })),
    })),
  };
}

function tunnels(facts: Facts, host: HostName, direction: string, peer: HostName): PlannedChild[] {
  return planHost(facts, host)
    .connections.filter((connection) => connection.kind === 'peer' && connection.peer === peer)
    .flatMap((connection) => connection.children)
    .filter((child) => child.direction === direction)
    .sort((a, b) => compareFlows(a.flow, b.flow));
}

/** start_action differs by design: in `protect` only the client's end traps. */
function whatBothKnow(child: PlannedChild): unknown {
  const { flow, direction, mode, localTs, remoteTs, priority, service, shards } = child;
  expect({ direction, localTs, remoteTs }).to.deep.equal(flowEnd(flow, direction));
  return { flow, direction, mode, localTs, remoteTs, priority, service, shards };
}

function overlap(a: TrafficSelector, b: TrafficSelector): boolean {
  return (
    a.protocol === b.protocol &&
    (a.port === undefined || b.port === undefined || a.port === b.port) &&
    (containsPrefix(a.prefix, b.prefix) || containsPrefix(b.prefix, a.prefix))
  );
}

function catches(child: PlannedChild, pass: PlannedChild): boolean {
  return (
    child.direction === 'ingress' &&
    overlap(child.localTs, pass.localTs) &&
    containsPrefix(child.remoteTs.prefix, pass.remoteTs.prefix)
  );
}
