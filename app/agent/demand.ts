// Which tunnels are asked for and not there? The guard counts packets towards each endpoint; a trap normally does the rest, so
// only two cases are initiated from here: a live flow whose trap is about to be set (its packets would be dropped until the
// SA is up), and a flow that asks in two looks in a row and still has none (a peer that was late, a cut that healed). Pure.
import type { HostConfig, HostPlan, PlannedChild } from '../domain/host-config.ts';
import { endpointKey } from '../guard/rows.ts';
import { childKey } from '../swanctl/loaded.ts';
import { formatSelector } from '../swanctl/selector-text.ts';

export interface DemandInput {
  readonly plan: HostPlan;
  /** The plan with names. */
  readonly desired: HostConfig;
  /** childKeys that had a trap in the file until now. */
  readonly trapped: ReadonlySet<string>;
  /** childKeys with an installed SA. */
  readonly installed: ReadonlySet<string>;
  /** Packets towards each endpoint, and what they were in the last look; absent when they cannot be read. */
  readonly demand: ReadonlyMap<string, number> | undefined;
  readonly demandBefore: ReadonlyMap<string, number> | undefined;
  /** `lacking` of the last look. */
  readonly lackedBefore: ReadonlySet<string>;
}

export interface Demand {
  /** childKeys to initiate now. */
  readonly wanted: ReadonlySet<string>;
  /** childKeys that are asked for and have no SA. */
  readonly lacking: ReadonlySet<string>;
}

export function demandOf(input: DemandInput): Demand {
  const { demand, demandBefore, trapped, installed, lackedBefore } = input;
  if (demand === undefined) return { wanted: new Set(), lacking: new Set() };
  const isAsked = (child: PlannedChild): boolean => {
    const key = endpointKey({ ...child.flow, address: child.flow.endpoint });
    return (demand.get(key) ?? 0) > (demandBefore?.get(key) ?? 0);
  };
  const keys = egressKeys(input).filter(({ key, child }) => !installed.has(key) && isAsked(child));
  const lacking = new Set(keys.map(({ key }) => key));
  return {
    lacking,
    wanted: new Set([...lacking].filter((key) => !trapped.has(key) || lackedBefore.has(key))),
  };
}

/** childKeys of a configuration whose children have a trap. */
export function trappedKeys(config: HostConfig | undefined): Set<string> {
  return new Set(
    (config?.connections ?? []).flatMap((connection) =>
      connection.children
        .filter(({ startAction }) => startAction === 'trap')
        .map(({ name }) => childKey(connection.name, name)),
    ),
  );
}

/** Every prefix of this host towards an endpoint: which of them asks, the guard does not count. */
function egressKeys({ plan, desired }: DemandInput): { key: string; child: PlannedChild }[] {
  const names = new Map(
    desired.connections.flatMap((connection) =>
      connection.children.map((child) => [
        `${connection.name} ${formatSelector(child.localTs)} ${formatSelector(child.remoteTs)}`,
        childKey(connection.name, child.name),
      ]),
    ),
  );
  return plan.connections.flatMap((connection) =>
    connection.children
      .filter(
        (child) => child.direction === 'egress' && child.mode === 'tunnel' && child.startAction === 'trap',
      )
      .flatMap((child) => {
        const key = names.get(
          `${connection.name} ${formatSelector(child.localTs)} ${formatSelector(child.remoteTs)}`,
        );
        return key === undefined ? [] : [{ key, child }];
      }),
  );
}
