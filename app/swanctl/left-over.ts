// CHILD_SAs and IKE_SAs of ours that nothing desired stands behind: which are there, and which of them this host ends.
//
// An SA outlives its configuration: the client's host ends it, once its trap is gone, at the cost of 2 packets. If the
// endpoint's host did so first, the client's trap would bring it back in 30 ms over the surviving IKE_SA, whose old
// configuration still holds the child (testbed: 8). So the endpoint's host waits until it has seen the same SA left over
// in an earlier pass; by then the client's host is gone or does not know better.
import type {
  Child,
  Connection,
  ConnectionName,
  HostConfig,
  TrafficSelector,
} from '../domain/host-config.ts';
import type { Direction } from '../domain/flows.ts';
import { containsPrefix } from '../domain/ip.ts';
import type { ChildSa, IkeSa, Loaded } from './loaded.ts';
import { isOurs } from '../domain/names.ts';
import { readSelector } from './selector-text.ts';
import type { Step } from './steps.ts';

export interface LeftOver {
  readonly connection: ConnectionName;
  readonly child: string;
  readonly uniqueId: number;
  readonly direction: Direction;
}

/** All CHILD_SAs of ours without a desired child, in charon's order. */
export function leftOvers(desired: HostConfig, loaded: Loaded): LeftOver[] {
  const connections = new Map<string, Connection>(desired.connections.map((item) => [item.name, item]));
  return loaded.ikeSas.flatMap((ikeSa) => leftOversOf(ikeSa, connections.get(ikeSa.connection)));
}

/** Their unique ids: the `stale` input of the next diff. */
export function leftOverIds(desired: HostConfig, loaded: Loaded): Set<number> {
  return new Set(leftOvers(desired, loaded).map(({ uniqueId }) => uniqueId));
}

/**
 * Steps that end what is left over. An IKE_SA whose connection is not desired goes as a whole, which leaves nothing that
 * could bring a child back; but only when no CHILD_SA in it has to wait for the client's host.
 */
export function endLeftOvers(desired: HostConfig, loaded: Loaded, stale: ReadonlySet<number>): Step[] {
  const connections = new Map<string, Connection>(desired.connections.map((item) => [item.name, item]));
  return loaded.ikeSas.flatMap((ikeSa): Step[] => {
    const { connection: name, uniqueId } = ikeSa;
    if (!isOurs(name) || isGoing(ikeSa.state)) return [];
    const connection = connections.get(name);
    const left = leftOversOf(ikeSa, connection);
    const ending = left.filter((sa) => sa.direction === 'egress' || stale.has(sa.uniqueId));
    if (connection === undefined && ending.length === left.length)
      return [{ kind: 'terminate-ike', connection: name, uniqueId }];
    return ending.map((sa) => ({
      kind: 'terminate-child',
      connection: name,
      child: sa.child,
      uniqueId: sa.uniqueId,
    }));
  });
}

function leftOversOf(ikeSa: IkeSa, connection: Connection | undefined): LeftOver[] {
  const name = ikeSa.connection;
  if (!isOurs(name)) return [];
  return ikeSa.children
    .filter((sa) => !isGoing(sa.state) && !isDesired(sa, connection))
    .map((sa) => ({ connection: name, child: sa.name, uniqueId: sa.uniqueId, direction: directionOf(sa) }));
}

/** Two SAs of one desired child are a rekeying in flight, or two hosts that began at once (testbed: 11): both stay. */
function isDesired(sa: ChildSa, connection: Connection | undefined): boolean {
  const child = connection?.children.find(({ name }) => name === sa.name);
  return child !== undefined && !belongsElsewhere(sa, child);
}

/** An SA of an earlier child of the same name: its selectors are not within the child's. Unreadable ones stay. */
function belongsElsewhere(sa: ChildSa, child: Child): boolean {
  return isOutside(sa.localTs, child.localTs) || isOutside(sa.remoteTs, child.remoteTs);
}

function isOutside(printed: readonly string[], selector: TrafficSelector): boolean {
  return printed.some((text) => {
    const read = readSelector(text);
    if (read === undefined) return false;
    const otherPort = typeof read.port === 'number' && read.port !== selector.port;
    return otherPort || !containsPrefix(selector.prefix, read.prefix);
  });
}

/** The endpoint's side of a flow has the port. Its name is asked only when charon prints something else. */
function directionOf(sa: ChildSa): Direction {
  const hasPort = (texts: readonly string[]): boolean =>
    texts.some((text) => readSelector(text)?.port !== undefined);
  if (hasPort(sa.remoteTs) !== hasPort(sa.localTs)) return hasPort(sa.remoteTs) ? 'egress' : 'ingress';
  return /_egress(?:-\d+)?$/.test(sa.name) ? 'egress' : 'ingress';
}

/** Deleted already, or replaced by its successor: it goes by itself. */
function isGoing(state: string): boolean {
  return ['DELETING', 'DELETED', 'REKEYED', 'DESTROYING'].includes(state);
}
