// A host's raw evidence as values that can be looked up: which child of charon is which flow (our file says it, charon prints only
// names of ports), SAs with what they carried, and what the guard holds. Pure. What it amounts to: domain/flow-verdict.ts.
import type { ChildState } from '../domain/flow-verdict.ts';
import type { Child, HostConfig, PlannedChild } from '../domain/host-config.ts';
import type { Address } from '../domain/ip.ts';
import type { Port } from '../domain/ports.ts';
import { endpointKey, serviceElement } from '../guard/rows.ts';
import { guardState, readTable, type TableReading } from '../guard/read-back.ts';
import { guardRuleset, parseTableName } from '../guard/ruleset.ts';
import { parseConfText } from '../swanctl/conf-parse.ts';
import { childKey, readLoaded, type ChildSa, type Loaded } from '../swanctl/loaded.ts';
import { formatSelector } from '../swanctl/selector-text.ts';
import { isSameFlow } from '../swanctl/verify.ts';
import type { Answer, Evidence } from './evidence.ts';

export interface HostTruth {
  /** Of a planned child in a connection; `sas` only where it has some. */
  childOf(
    connection: string,
    child: PlannedChild,
  ): { readonly state: ChildState; readonly sas: readonly ChildSa[] } | Unread;
  /** Whether the guard drops what has no tunnel to or from it; undefined: not readable. */
  holds(endpoint: EndpointPort): boolean | undefined;
  /** Packets towards it that were counted since the table was made; undefined: not readable. */
  demand(endpoint: EndpointPort): number | undefined;
}

export interface Unread {
  readonly unread: string;
}

export type EndpointPort = Port & { readonly address: Address };

/** Of a host that could not be asked at all. */
export function unknownTruth(why: string): HostTruth {
  return { childOf: () => ({ unread: why }), holds: () => undefined, demand: () => undefined };
}

export function hostTruth(evidence: Evidence): HostTruth {
  const children = childrenOf(evidence);
  const guard = guardOf(evidence);
  return {
    childOf: (connection, child) => {
      if ('unread' in children) return children;
      const name = children.names.get(selectorsKey(connection, child));
      const found =
        name === undefined ? undefined : children.loaded.connections.get(connection)?.children.get(name);
      if (name === undefined || found === undefined) return { state: 'absent', sas: [] };
      if (!isSameFlow({ ...child, name }, found)) return { state: 'other-selectors', sas: [] };
      const sas = installedSas(children.loaded, connection, name);
      if (sas.length > 0) return { state: 'sa', sas };
      return { state: children.loaded.traps.has(childKey(connection, name)) ? 'trap' : 'loaded', sas };
    },
    holds: (endpoint) => guard?.holds(endpoint),
    demand: (endpoint) => guard?.demand(endpoint),
  };
}

interface Children {
  readonly loaded: Loaded;
  /** By selectorsKey. */
  readonly names: ReadonlyMap<string, Child['name']>;
}

function childrenOf({ charon, file }: Evidence): Children | Unread {
  if ('failed' in charon) return { unread: charon.failed };
  const config = configOf(file);
  if ('unread' in config) return config;
  const names = config.connections.flatMap((connection) =>
    connection.children.map((child) => [selectorsKey(connection.name, child), child.name] as const),
  );
  return { loaded: readLoaded(charon.said), names: new Map(names) };
}

/** No file: nothing of ours is loaded. */
function configOf(file: Answer<string>): Pick<HostConfig, 'connections'> | Unread {
  if ('failed' in file) return { unread: file.failed };
  if (file.said === '') return { connections: [] };
  const parsed = parseConfText(file.said);
  return 'config' in parsed ? parsed.config : { unread: `line ${parsed.line} of its file: ${parsed.error}` };
}

function selectorsKey(connection: string, child: Pick<Child, 'mode' | 'localTs' | 'remoteTs'>): string {
  return `${connection} ${child.mode} ${formatSelector(child.localTs)} ${formatSelector(child.remoteTs)}`;
}

function installedSas(loaded: Loaded, connection: string, name: string): ChildSa[] {
  return loaded.ikeSas
    .filter((ikeSa) => ikeSa.connection === connection)
    .flatMap((ikeSa) => ikeSa.children)
    .filter((sa) => sa.name === name && (sa.state === 'INSTALLED' || sa.state === 'REKEYING'));
}

interface Guard {
  holds(endpoint: EndpointPort): boolean;
  demand(endpoint: EndpointPort): number | undefined;
}

/** Only a whole table in mode enforce holds for certain; one that somebody changed is as good as none. */
function guardOf({ guard, localInterfaces }: Evidence): Guard | undefined {
  if ('failed' in guard) return undefined;
  const ruleset = guardRuleset(localInterfaces);
  const readings = Object.entries(guard.said).flatMap(([text, json]): TableReading[] => {
    const name = parseTableName(text);
    const reading = name === undefined ? undefined : readTable(name, json, ruleset);
    return reading === undefined ? [] : [reading];
  });
  const state = guardState(readings, []);
  if (state.kind !== 'present') return { holds: () => false, demand: () => undefined };
  const { mode, elements, counters } = state.table;
  const holding = new Set([...elements.holding4, ...elements.holding6]);
  return {
    holds: (endpoint) => mode === 'enforce' && holding.has(serviceElement(endpoint)),
    demand: (endpoint) => counters.demand.get(endpointKey(endpoint)),
  };
}
