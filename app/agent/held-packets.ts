// How many packets has the guard held, of which service and in which direction? The kernel counts by element of the guard's sets,
// and begins anew with each table: here the growth between looks is added up.
import type { Facts, HostName } from '../domain/facts.ts';
import type { Direction } from '../domain/flows.ts';
import { compareText } from '../domain/problem.ts';
import { endpointKey } from '../guard/rows.ts';

export interface Held {
  readonly service: string;
  /** egress: pods here towards a protected service; ingress: towards an endpoint here. */
  readonly direction: Direction;
  readonly packets: number;
}

export interface HeldPackets {
  /** By endpointKey; undefined when there is no table, or it cannot be read. */
  seen(held: ReadonlyMap<string, number> | undefined): void;
  /** Since this agent was started; undefined while it cannot be read. `facts` say what belongs to which service. */
  totals(facts: Facts | undefined, self: HostName): readonly Held[] | undefined;
}

export function heldPackets(): HeldPackets {
  const last = new Map<string, number>();
  const sums = new Map<string, number>();
  let isReadable = false;
  let isFirst = true;
  return {
    seen: (held) => {
      isReadable = held !== undefined;
      if (held === undefined) return;
      for (const [key, packets] of held) {
        const before = last.get(key) ?? (isFirst ? packets : 0);
        const grown = packets < before ? packets : packets - before;
        if (grown > 0) sums.set(key, (sums.get(key) ?? 0) + grown);
        last.set(key, packets);
      }
      for (const key of last.keys()) if (!held.has(key)) last.delete(key);
      isFirst = false;
    },
    totals: (facts, self) => {
      if (!isReadable || facts === undefined) return undefined;
      const services = servicesOf(facts, self);
      const totals = new Map<string, Held>();
      for (const [key, { service, direction }] of services) {
        const name = `${service} ${direction}`;
        const packets = (totals.get(name)?.packets ?? 0) + (sums.get(key) ?? 0);
        totals.set(name, { service, direction, packets });
      }
      return [...totals.values()].sort((a, b) => compareText(a.service, b.service));
    },
  };
}

/** By endpointKey; what two services share counts for the first by name. */
function servicesOf({ shards }: Facts, self: HostName): Map<string, Omit<Held, 'packets'>> {
  const found = new Map<string, Omit<Held, 'packets'>>();
  const add = (key: string, service: string, direction: Direction): void => {
    if (!found.has(key)) found.set(key, { service, direction });
  };
  for (const shard of shards.toSorted((a, b) => compareText(a.version.name, b.version.name))) {
    const service = `${shard.namespace}/${shard.service}`;
    for (const { address, ports, host } of shard.endpoints)
      for (const port of ports)
        add(endpointKey({ ...port, address }), service, host === self ? 'ingress' : 'egress');
    for (const address of shard.clusterIps)
      for (const port of shard.servicePorts) add(endpointKey({ ...port, address }), service, 'egress');
  }
  return found;
}
