// Which shards have something loaded here that nobody wants any more? Their removal was refused or has not happened yet, so
// the host must not say that it has the shard as it stands: the manager would take what is leaving for gone. Pure.
import type { ShardFact } from '../domain/facts.ts';
import type { HostConfig } from '../domain/host-config.ts';
import { hostPrefix, type Prefix } from '../domain/ip.ts';
import { isOurs } from '../domain/names.ts';
import type { Loaded, LoadedChild } from '../swanctl/loaded.ts';
import { readSelector } from '../swanctl/selector-text.ts';

/** Names of shards that list the endpoint of a child of ours which is loaded and not desired. */
export function strayShards(shards: readonly ShardFact[], desired: HostConfig, loaded: Loaded): Set<string> {
  const prefixes = new Set(strayChildren(desired, loaded).flatMap(prefixesOf));
  const isStray = (shard: ShardFact): boolean =>
    shard.endpoints.some(({ address }) => prefixes.has(hostPrefix(address)));
  return new Set(prefixes.size === 0 ? [] : shards.filter(isStray).map(({ version }) => version.name));
}

function strayChildren(desired: HostConfig, loaded: Loaded): LoadedChild[] {
  const known = new Map<string, Set<string>>(
    desired.connections.map(({ name, children }) => [name, new Set(children.map((child) => child.name))]),
  );
  return [...loaded.connections]
    .filter(([name]) => isOurs(name))
    .flatMap(([name, { children }]) =>
      [...children].filter(([child]) => known.get(name)?.has(child) !== true).map(([, child]) => child),
    );
}

function prefixesOf({ localTs, remoteTs }: LoadedChild): Prefix[] {
  return [...localTs, ...remoteTs].flatMap((text) => readSelector(text)?.prefix ?? []);
}
