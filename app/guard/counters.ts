// How many packets the guard has held and how many went towards each endpoint, out of nft's JSON. What cannot be read is
// absent, never 0: a zero would say that there is no traffic. Counters start anew with a new table.
import { DROP_COUNTERS, type DropCounter } from './chains.ts';
import { asFields, asList, asText, type NftObject } from './json.ts';
import { endpointKey } from './rows.ts';
import type { ServiceReader } from './services.ts';

export interface GuardCounters {
  /** Packets held, or in mode observe those that would have been. */
  readonly drops: Readonly<Partial<Record<DropCounter, number>>>;
  /** Packets towards each endpoint by endpointKey, `172.16.166.178 udp/53`: of pods here, and of other hosts' if the endpoint is here. */
  readonly demand: ReadonlyMap<string, number>;
  /** Packets held by endpointKey of the endpoint or of the cluster IP. */
  readonly held: ReadonlyMap<string, number>;
}

/** Of the objects of one table. */
export function readCounters(objects: readonly NftObject[], readService: ServiceReader): GuardCounters {
  return {
    drops: readDrops(objects),
    demand: new Map(objects.flatMap((object) => readElements(object, /^endpoints[46]$/, readService))),
    held: new Map(
      objects.flatMap((object) => readElements(object, /^(holding|cluster_ips)[46]$/, readService)),
    ),
  };
}

function readDrops(objects: readonly NftObject[]): GuardCounters['drops'] {
  const counters = new Map(
    objects.filter(({ kind }) => kind === 'counter').map(({ fields }) => [fields['name'], packetsOf(fields)]),
  );
  const known = DROP_COUNTERS.map((name) => [name, counters.get(name)] as const);
  return Object.fromEntries(known.filter(([, packets]) => packets !== undefined));
}

function readElements(
  { kind, fields }: NftObject,
  sets: RegExp,
  readService: ServiceReader,
): [string, number][] {
  if (kind !== 'set' || !sets.test(asText(fields['name']))) return [];
  return asList(fields['elem']).flatMap((item): [string, number][] => {
    const element = asFields(asFields(item)?.['elem']);
    const service = readService(element?.['val']);
    const packets = packetsOf(element?.['counter']);
    return service === undefined || packets === undefined ? [] : [[endpointKey(service), packets]];
  });
}

function packetsOf(counter: unknown): number | undefined {
  const packets = asFields(counter)?.['packets'];
  return typeof packets === 'number' ? packets : undefined;
}
