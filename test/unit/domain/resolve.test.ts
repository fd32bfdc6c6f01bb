// From a world to what should be protected: endpoints and their hosts, several rows on one service, bounds, and independence
// of order.
import { expect } from 'chai';
import { formatPort } from '../../../app/domain/ports.ts';
import { resolve } from '../../../app/domain/resolve.ts';
import type { World } from '../../../app/domain/world.ts';
import {
  address,
  block,
  node,
  oneServiceWorld,
  only,
  policy,
  prefix,
  service,
  slice,
  world,
} from '../../support/world-builders.ts';

/** `172.16.43.5 worker-0 tcp/53` for each endpoint. */
function endpoints(given: World): string[] {
  return resolve(given).services.flatMap((found) =>
    found.endpoints.map((endpoint) =>
      [endpoint.address, endpoint.host, ...endpoint.ports.map(formatPort)].join(' '),
    ),
  );
}

function reasons(given: World): string[] {
  return resolve(given).rows.flatMap((row) => row.problems.map(({ reason }) => reason));
}

describe('endpoints of a service', () => {
  const cases = [
    {
      name: 'the host follows from the address',
      given: oneServiceWorld(['172.16.43.5']),
      endpoints: ['172.16.43.5 worker-0 tcp/53'],
      reasons: [],
    },
    {
      name: 'a slice that names another node: the address decides',
      given: oneServiceWorld(['172.16.43.5@controller-0']),
      endpoints: ['172.16.43.5 worker-0 tcp/53'],
      reasons: ['EndpointHostMismatch'],
    },
    {
      name: 'two on one host',
      given: oneServiceWorld(['172.16.43.50@worker-0', '172.16.43.5@worker-0']),
      endpoints: ['172.16.43.5 worker-0 tcp/53', '172.16.43.50 worker-0 tcp/53'],
      reasons: [],
    },
    {
      name: 'on the network of a host: named and left alone',
      given: oneServiceWorld(['192.168.206.3', '172.16.43.5']),
      endpoints: ['172.16.43.5 worker-0 tcp/53'],
      reasons: ['EndpointOnHostNetwork'],
    },
    {
      name: 'of no block',
      given: oneServiceWorld(['172.16.9.9']),
      endpoints: [],
      reasons: ['EndpointWithoutOwner'],
    },
    {
      name: 'on a host without an agent: stays, held',
      given: oneServiceWorld(['172.16.43.5'], {
        nodes: [
          node('worker-0', { agent: false }),
          node('controller-0', { addresses: [address('192.168.206.2')] }),
        ],
      }),
      endpoints: ['172.16.43.5 worker-0 tcp/53'],
      reasons: ['HostWithoutAgent'],
    },
    {
      name: 'borrowed: on the host that uses it',
      given: oneServiceWorld(['172.16.43.5@controller-0'], {
        blocks: [block('172.16.43.0/26', 'worker-0', { '172.16.43.5': 'controller-0' })],
      }),
      endpoints: ['172.16.43.5 controller-0 tcp/53'],
      reasons: [],
    },
    {
      name: 'of both families',
      given: oneServiceWorld(['fd00::41', '172.16.43.5'], {
        blocks: [block('172.16.43.0/26', 'worker-0'), block('fd00::40/122', 'worker-0')],
      }),
      endpoints: ['172.16.43.5 worker-0 tcp/53', 'fd00::41 worker-0 tcp/53'],
      reasons: [],
    },
    {
      name: 'in two slices with different ports: the union',
      given: oneServiceWorld([], {
        policies: [policy('p', ['ns/svc', 'tcp/53,tcp/54'])],
        slices: [
          slice('ns/svc', ['dns tcp/53'], ['172.16.43.5']),
          slice('ns/svc', ['x tcp/54'], ['172.16.43.5']),
        ],
      }),
      endpoints: ['172.16.43.5 worker-0 tcp/53 tcp/54'],
      reasons: [],
    },
    {
      name: 'without any of the wanted ports: not there',
      given: oneServiceWorld([], {
        slices: [
          slice('ns/svc', ['dns tcp/53'], ['172.16.43.5']),
          slice('ns/svc', ['x tcp/54'], ['172.16.43.6']),
        ],
      }),
      endpoints: ['172.16.43.5 worker-0 tcp/53'],
      reasons: [],
    },
  ];
  for (const { name, given, endpoints: expected, reasons: problems } of cases)
    it(name, () => {
      expect(endpoints(given)).to.deep.equal(expected);
      expect(reasons(given)).to.deep.equal(problems);
    });

  it('keeps the addresses whose owner is not known apart', () => {
    const found = only(resolve(oneServiceWorld(['172.16.9.9'])).services);
    expect(found.withoutOwner).to.deep.equal(['172.16.9.9']);
  });

  it('says one sentence for many endpoints in the wrong place', () => {
    const wrong = Array.from({ length: 200 }, (_, i) => `172.16.9.${i}`);
    const row = only(resolve(oneServiceWorld(wrong)).rows);
    expect(only(row.problems).message).to.include('172.16.9.0, 172.16.9.1, 172.16.9.2 and 197 more');
  });
});

describe('several rows about one service', () => {
  const given = oneServiceWorld(['172.16.43.5'], {
    policies: [policy('q', ['ns/svc', 'udp/53']), policy('p', ['ns/svc', 'tcp/53'], ['ns/svc', 'tcp/9153'])],
    services: [service('ns/svc', 'dns tcp/53', 'dns-udp udp/53', 'metrics tcp/9153')],
    slices: [slice('ns/svc', ['dns tcp/53', 'dns-udp udp/53', 'metrics tcp/9153'], ['172.16.43.5'])],
  });

  it('add up', () => {
    const found = only(resolve(given).services);
    expect(found.ports.map(formatPort)).to.deep.equal(['tcp/53', 'tcp/9153', 'udp/53']);
    expect(endpoints(given)).to.deep.equal(['172.16.43.5 worker-0 tcp/53 tcp/9153 udp/53']);
  });

  it('keep their own ports, for the status of each', () => {
    const rows = resolve(given).rows.map((row) => [row.policy, ...row.ports.map(formatPort)]);
    expect(rows).to.deep.equal([
      ['p', 'tcp/53'],
      ['p', 'tcp/9153'],
      ['q', 'udp/53'],
    ]);
  });

  it('services of one name in two namespaces are two', () => {
    const two = world({
      policies: [policy('p', ['a/svc', 'tcp/53'], ['b/svc', 'tcp/53'])],
      services: [service('b/svc', 'dns tcp/53'), service('a/svc', 'dns tcp/53')],
    });
    expect(resolve(two).services.map(({ namespace }) => namespace)).to.deep.equal(['a', 'b']);
  });
});

describe('bounds', () => {
  /** Each host has 20 blocks, so an endpoint on worker-0 costs each connection of worker-0 20 children. */
  function crowded(counts: readonly number[]): World {
    const blocks = ['controller-0', 'controller-1', 'worker-0'].flatMap((name, h) =>
      Array.from({ length: 20 }, (_, b) => block(`10.${h}.${b}.0/24`, name)),
    );
    const keys = counts.map((_, i) => `ns/s${i}`);
    return world({
      blocks,
      pools: [prefix('10.0.0.0/8')],
      policies: keys.map((key, i) => ({
        ...policy(`p${i}`, [key, 'tcp/53']),
        createdAt: `2026-01-0${9 - i}T00:00:00Z`,
      })),
      services: keys.map((key) => service(key, 'dns tcp/53')),
      slices: keys.map((key, i) =>
        slice(
          key,
          ['dns tcp/53'],
          Array.from({ length: counts[i] ?? 0 }, (_, n) => `10.2.${i}.${n}`),
        ),
      ),
    });
  }

  const accepted = (given: World): string[] =>
    resolve(given)
      .rows.filter((row) => row.accepted)
      .map((row) => row.policy);

  it('accept what just fits into a connection (90 endpoints x 20 prefixes = 1800 of 1818)', () => {
    expect(accepted(crowded([90]))).to.deep.equal(['p0']);
    expect(accepted(crowded([91]))).to.deep.equal([]);
  });

  it('refuse the newest policy, whatever its name', () => {
    const given = crowded([50, 40, 5]);
    expect(accepted(given)).to.deep.equal(['p2', 'p1']);
    const refused = resolve(given).rows.filter((row) => !row.accepted);
    expect(only(only(refused).problems).reason).to.equal('TooManyFlows');
    expect(only(only(refused).problems).message).to.match(
      /worker-0 and controller-\d would carry 1900 flows/,
    );
    expect(resolve(given).services.map((found) => found.service)).to.deep.equal(['s1', 's2']);
  });

  it('a refused row takes no room from a newer one that fits', () => {
    expect(accepted(crowded([5, 50, 70]))).to.deep.equal(['p2', 'p0']);
  });

  it('count an address and port once for all services that share it', () => {
    const given = crowded([60, 60]);
    const first = given.slices[0]?.endpoints ?? [];
    const shared = { ...given, slices: given.slices.map((one) => ({ ...one, endpoints: first })) };
    expect(accepted(given)).to.deep.equal(['p1']);
    expect(accepted(shared)).to.deep.equal(['p1', 'p0']);
  });

  it('hold for a whole host, over all its connections', () => {
    const names = Array.from({ length: 40 }, (_, i) => `h${i}`);
    const many = (count: number): World => ({
      ...oneServiceWorld(Array.from({ length: count }, (_, n) => `10.0.0.${n}`)),
      nodes: names.map((name, i) => node(name, { addresses: [address(`192.168.206.${i}`)] })),
      blocks: names.flatMap((name, h) =>
        Array.from({ length: 5 }, (_, b) => block(`10.${h}.${b}.0/24`, name)),
      ),
    });
    expect(accepted(many(102))).to.deep.equal(['p']);
    expect(accepted(many(103))).to.deep.equal([]);
    expect(only(only(resolve(many(103)).rows).problems).message).to.include(
      'host h0 would carry 20085 flows',
    );
  });
});

describe('resolve', () => {
  it('does not depend on the order of anything', () => {
    const given = oneServiceWorld(
      ['172.16.43.5@worker-0', '172.16.9.9', '172.16.166.130@x', '192.168.206.2'],
      {
        policies: [policy('p', ['ns/svc', 'tcp/53'], ['a/b', 'tcp/1']), policy('q', ['ns/svc', 'udp/53'])],
        affinities: [
          { prefix: prefix('172.16.44.0/26'), host: node('worker-0').name },
          { prefix: prefix('172.16.44.0/26'), host: node('controller-0').name },
        ],
      },
    );
    const turned: World = {
      policies: given.policies.toReversed(),
      services: given.services.toReversed(),
      slices: given.slices.map((one) => ({ ...one, endpoints: one.endpoints.toReversed() })).reverse(),
      nodes: given.nodes.toReversed(),
      blocks: given.blocks.toReversed(),
      affinities: given.affinities.toReversed(),
      pools: given.pools.toReversed(),
    };
    expect(resolve(turned)).to.deep.equal(resolve(given));
  });

  it('expects answers from hosts that are Ready and have an agent and an address', () => {
    const { readyHosts } = resolve(
      world({
        nodes: [
          node('a', { addresses: [address('192.168.206.2')] }),
          node('b', { addresses: [address('192.168.206.3')], ready: false }),
          node('c', { addresses: [address('192.168.206.4')], agent: false }),
          node('d'),
        ],
      }),
    );
    expect([...readyHosts]).to.deep.equal(['a']);
  });
});
