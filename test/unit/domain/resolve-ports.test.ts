// What a row's ports mean: one table over services and slices.
import { expect } from 'chai';
import { formatPort } from '../../../app/domain/ports.ts';
import { resolve } from '../../../app/domain/resolve.ts';
import type { EndpointSlice, Service } from '../../../app/domain/world.ts';
import { only, policy, service, slice, world } from '../../support/world-builders.ts';

interface Case {
  readonly name: string;
  readonly row: string;
  readonly service?: Service;
  readonly slices?: readonly EndpointSlice[];
  readonly expect: {
    readonly ports?: readonly string[];
    /** Protected ports of the service itself, with their targets. */
    readonly servicePorts?: readonly string[];
    readonly unknown?: readonly string[];
    readonly problems?: readonly string[];
  };
}

const A = '172.16.43.5';
const B = '172.16.166.130';

const cases: readonly Case[] = [
  {
    name: 'a port of the endpoints',
    row: 'tcp/6666',
    service: service('ns/svc', 'web tcp/666>6666'),
    slices: [slice('ns/svc', ['web tcp/6666'], [A])],
    expect: { ports: ['tcp/6666'], servicePorts: ['tcp/666>tcp/6666'] },
  },
  {
    name: 'else the service port of that number',
    row: 'tcp/666',
    service: service('ns/svc', 'web tcp/666>6666'),
    slices: [slice('ns/svc', ['web tcp/6666'], [A])],
    expect: { ports: ['tcp/6666'], servicePorts: ['tcp/666>tcp/6666'] },
  },
  {
    name: 'an endpoint port is preferred to a service port of the number',
    row: 'tcp/8080',
    service: service('ns/svc', 'web tcp/80>8080', 'alt tcp/8080>9090'),
    slices: [slice('ns/svc', ['web tcp/8080', 'alt tcp/9090'], [A])],
    expect: { ports: ['tcp/8080'], servicePorts: ['tcp/80>tcp/8080'] },
  },
  {
    name: 'both spellings at once are one port',
    row: 'tcp/666,tcp/6666',
    service: service('ns/svc', 'web tcp/666>6666'),
    slices: [slice('ns/svc', ['web tcp/6666'], [A])],
    expect: { ports: ['tcp/6666'], servicePorts: ['tcp/666>tcp/6666'] },
  },
  {
    name: 'a number of another protocol does not count',
    row: 'udp/53',
    service: service('ns/svc', 'dns-tcp tcp/53'),
    slices: [slice('ns/svc', ['dns-tcp tcp/53'], [A])],
    expect: { problems: ['PortNotFound'] },
  },
  {
    name: 'a named target with another number in each slice',
    row: 'tcp/80',
    service: service('ns/svc', 'web tcp/80>http'),
    slices: [slice('ns/svc', ['web tcp/8080'], [A]), slice('ns/svc', ['web tcp/9090'], [B])],
    expect: { ports: ['tcp/8080', 'tcp/9090'], servicePorts: ['tcp/80>tcp/8080+tcp/9090'] },
  },
  {
    name: 'one of two numbers behind a service port does not hold the service port',
    row: 'tcp/8080',
    service: service('ns/svc', 'web tcp/80>http'),
    slices: [slice('ns/svc', ['web tcp/8080'], [A]), slice('ns/svc', ['web tcp/9090'], [B])],
    expect: { ports: ['tcp/8080'] },
  },
  {
    name: 'no endpoints yet: the numeric target of the service port',
    row: 'tcp/666',
    service: service('ns/svc', 'web tcp/666>6666'),
    expect: { ports: ['tcp/6666'], servicePorts: ['tcp/666>tcp/6666'] },
  },
  {
    name: 'no endpoints yet: a numeric target by its number',
    row: 'tcp/6666',
    service: service('ns/svc', 'web tcp/666>6666'),
    slices: [slice('ns/svc', [], [])],
    expect: { ports: ['tcp/6666'], servicePorts: ['tcp/666>tcp/6666'] },
  },
  {
    name: 'no endpoints yet: a named target is not known, its service port is',
    row: 'tcp/80',
    service: service('ns/svc', 'web tcp/80>http'),
    expect: { servicePorts: ['tcp/80>'], unknown: ['tcp'] },
  },
  {
    name: 'no endpoints yet: any number may be behind a named target',
    row: 'tcp/8080',
    service: service('ns/svc', 'web tcp/80>http'),
    expect: { unknown: ['tcp'] },
  },
  {
    name: 'endpoints that do not declare the named target',
    row: 'tcp/80',
    service: service('ns/svc', 'web tcp/80>http'),
    slices: [slice('ns/svc', [], [A])],
    expect: { problems: ['PortNotFound'] },
  },
  {
    name: 'a number that no endpoint has, though a target has a name',
    row: 'tcp/99',
    service: service('ns/svc', 'web tcp/80>http'),
    slices: [slice('ns/svc', ['web tcp/8080'], [A])],
    expect: { problems: ['PortNotFound'] },
  },
  {
    name: 'a port that is nowhere, beside one that is',
    row: 'tcp/53,tcp/99',
    service: service('ns/svc', 'dns tcp/53'),
    slices: [slice('ns/svc', ['dns tcp/53'], [A])],
    expect: { ports: ['tcp/53'], servicePorts: ['tcp/53>tcp/53'], problems: ['PortNotFound'] },
  },
  {
    name: 'a headless service without ports: those of its slices',
    row: 'sctp/7',
    service: { ...service('ns/svc'), clusterIps: [] },
    slices: [slice('ns/svc', [' sctp/7'], [A])],
    expect: { ports: ['sctp/7'] },
  },
  {
    name: 'no service: it may come, and nothing is known of its ports',
    row: 'tcp/53,udp/53',
    expect: { unknown: ['tcp', 'udp'], problems: ['ServiceNotFound'] },
  },
  {
    name: 'slices that a deleted service left do not count',
    row: 'tcp/53',
    slices: [slice('ns/svc', ['dns tcp/53'], [A])],
    expect: { unknown: ['tcp'], problems: ['ServiceNotFound'] },
  },
  {
    name: 'ExternalName',
    row: 'tcp/53',
    service: { ...service('ns/svc', 'dns tcp/53'), externalName: true },
    expect: { problems: ['ExternalNameService'] },
  },
];

describe('ports of a policy row', () => {
  for (const { name, row, service: given, slices = [], expect: expected } of cases)
    it(name, () => {
      const { services, rows } = resolve(
        world({
          policies: [policy('p', ['ns/svc', row])],
          services: given === undefined ? [] : [given],
          slices,
        }),
      );
      const [found] = services;
      const servicePorts = (found?.servicePorts ?? []).map(
        (own) => `${formatPort(own)}>${own.targets.map(formatPort).join('+')}`,
      );
      expect({
        ports: only(rows).ports.map(formatPort),
        servicePorts,
        unknown: found?.unknownTargets ?? [],
        problems: only(rows).problems.map(({ reason }) => reason),
      }).to.deep.equal({ ports: [], servicePorts: [], unknown: [], problems: [], ...expected });
      expect(only(rows).accepted).to.equal(true);
    });

  const refused = [
    '',
    'tcp',
    'tcp/',
    '/53',
    'tcp/0',
    'tcp/65536',
    'tcp/53,,udp/53',
    'TCP/53',
    'icmp/1',
    ' tcp/53',
  ];
  for (const row of refused)
    it(`refuses "${row}" of an object that is older than the CRD's rules`, () => {
      const given = world({
        policies: [policy('p', ['ns/svc', row])],
        services: [service('ns/svc', 'dns tcp/53')],
      });
      const { services, rows } = resolve(given);
      expect(services).to.deep.equal([]);
      expect(only(rows).accepted).to.equal(false);
      expect(only(only(rows).problems).reason).to.equal('InvalidPorts');
    });
});
