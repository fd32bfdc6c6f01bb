// What a person's command sees of the cluster in one look: our objects as they stand in the API, with their times. Some of it may
// be hidden from who asks. What it amounts to: cluster-status.ts; how it is read: kubernetes/.
import type { PolicyCondition } from './conditions.ts';
import type { HostFact, HostName, HostReport, NetworkFact, ShardFact } from './facts.ts';
import type { PolicyStatus } from './policy-status.ts';

export interface ClusterView {
  readonly nowMs: number;
  readonly policies: readonly PolicyView[];
  readonly network: NetworkFact | undefined;
  readonly hosts: readonly HostFact[];
  readonly shards: readonly ShardFact[];
  readonly reports: readonly ReportView[];
  readonly leader: LeaderView;
  /** Hosts with a Node that carries the agent's label, and whether they are Ready; undefined where Nodes may not be read. */
  readonly nodes: ReadonlyMap<HostName, boolean> | undefined;
  /** Undefined where Pods may not be read. */
  readonly agents: readonly AgentView[] | undefined;
  /** Objects that are there and cannot be read, a sentence each: with them nothing is certain. */
  readonly unreadable: readonly string[];
  /** What may not be read, a sentence each: without it less is said, and nothing wrongly. */
  readonly hidden: readonly string[];
}

export interface PolicyView {
  readonly name: string;
  readonly generation: number;
  /** Absent until a manager has looked at it. */
  readonly status?: Omit<PolicyStatus, 'conditions'> & { readonly conditions: readonly DatedCondition[] };
}

export interface DatedCondition extends PolicyCondition {
  /** RFC 3339. */
  readonly lastTransitionTime: string;
}

export interface ReportView {
  readonly host: HostName;
  /** Absent until the host's agent has written it. */
  readonly report?: HostReport;
  /** RFC 3339: when the report was last written. A host on which nothing changes writes nothing. */
  readonly writtenAt?: string;
}

/** hidden: the Lease may not be read. absent: there is none, so no manager has ever led. */
export type LeaderView =
  | { readonly kind: 'hidden' }
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'lease';
      /** Empty: the last leader gave it back. */
      readonly holder: string;
      readonly renewedAt: string;
      readonly durationSeconds: number;
    };

export interface AgentView {
  readonly pod: string;
  /** Empty while it is not placed. */
  readonly host: string;
  readonly ready: boolean;
  readonly restarts: number;
}
