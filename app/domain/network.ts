// What must all hosts agree on? IPsecNetwork `cluster`, out of the chart's settings and Calico's pools.
import type { GuardMode, IpsecParameters, NetworkFact } from './facts.ts';
import { comparePrefixes, type Prefix } from './ip.ts';

/** The part of the manager's settings that every host must share. */
export interface NetworkSettings {
  readonly parameters: IpsecParameters;
  readonly guardMode: GuardMode;
}

/** What IPsecNetwork should say; its uid is the API server's. Pools sorted, each once. */
export type NetworkSpec = Omit<NetworkFact, 'uid'>;

export function networkSpec(
  { parameters, guardMode }: NetworkSettings,
  pools: readonly Prefix[],
): NetworkSpec {
  return { pools: [...new Set(pools)].sort(comparePrefixes), parameters, guardMode };
}
