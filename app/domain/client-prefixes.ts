// Which host's pods have which prefixes: one host for each prefix. The manager says who owns what (IPsecHost); while two of
// those objects contradict each other, every host must still decide the same, or the two ends of a flow differ.
import type { HostFact, HostName } from './facts.ts';
import { comparePrefixes, type Prefix } from './ip.ts';
import { compareText, type Problem } from './problem.ts';

export interface ClientPrefixes {
  /** Hosts sorted by name, with the prefixes left to them: sorted, each with one host only. */
  readonly hosts: readonly HostFact[];
  /** Prefixes that a host claims and another one has, by the host that lost them. */
  readonly contested: readonly ContestedPrefix[];
}

export interface ContestedPrefix {
  readonly prefix: Prefix;
  readonly keptBy: HostName;
  readonly lostBy: HostName;
}

/** The first claimant by name keeps a prefix: as good as any other rule that needs nothing but the facts. */
export function clientPrefixes(facts: readonly HostFact[]): ClientPrefixes {
  const owners = new Map<Prefix, HostName>();
  const contested: ContestedPrefix[] = [];
  const hosts = facts
    .toSorted((a, b) => compareText(a.name, b.name))
    .map((host) => {
      const prefixes: Prefix[] = [];
      for (const prefix of [...new Set(host.prefixes)].sort(comparePrefixes)) {
        const keptBy = owners.get(prefix);
        if (keptBy === undefined) prefixes.push(prefix);
        else contested.push({ prefix, keptBy, lostBy: host.name });
        owners.set(prefix, keptBy ?? host.name);
      }
      return { ...host, prefixes };
    });
  return { hosts, contested };
}

/** Reported by the claimants alone: it is their pods that are concerned. */
export function contestedProblems(contested: readonly ContestedPrefix[], self: HostName): Problem[] {
  return contested
    .filter(({ keptBy, lostBy }) => keptBy === self || lostBy === self)
    .map(({ prefix, keptBy, lostBy }) => ({
      reason: 'PrefixClaimedTwice',
      subject: prefix,
      message: `${prefix} is claimed by ${keptBy} and ${lostBy}; ${keptBy} is taken for its owner. Compare the affinity of this Calico block with the IPsecHost objects of the two`,
    }));
}
