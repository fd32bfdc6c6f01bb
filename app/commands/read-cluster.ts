// Reads the cluster for a command: every kind of ours, once, all at the same time, and what helps if it may be read. Changes
// nothing. What it amounts to: domain/cluster-status.ts.
import type { ClusterView, LeaderView } from '../domain/cluster-view.ts';
import { ApiError, isNotFound } from '../kubernetes/api-error.ts';
import type { Client } from '../kubernetes/client.ts';
import { listAll, type ListOptions } from '../kubernetes/list-all.ts';
import { hostReader, networkReader, shardReader } from '../kubernetes/read-facts.ts';
import { AGENT_LABEL, nodeReader } from '../kubernetes/read-node.ts';
import {
  agentPodReader,
  leaseViewReader,
  policyViewReader,
  reportViewReader,
} from '../kubernetes/read-views.ts';
import {
  HOSTS,
  LEASES,
  MANAGER_LEASE,
  NETWORKS,
  NODES,
  PODS,
  POLICIES,
  REPORTS,
  SHARDS,
  type Resource,
} from '../kubernetes/resources.ts';
import type { Reader } from '../kubernetes/schema.ts';
import { CannotTellError, whyNotRead } from './command-errors.ts';

export interface ReadClusterOptions {
  readonly client: Client;
  /** Where the manager's Lease and all pods are. */
  readonly namespace: string;
  readonly nowMs: number;
}

/** Selects what the chart makes. */
export const OURS = 'app.kubernetes.io/name=ipsec-policy-operator';

const AGENT_PODS = `${OURS},app.kubernetes.io/component=agent`;

/** Throws CannotTellError when a kind of ours cannot be read. */
export async function readCluster({ client, namespace, nowMs }: ReadClusterOptions): Promise<ClusterView> {
  const unreadable: string[] = [];
  const hidden: string[] = [];
  const list = async <T>(resource: Resource, reader: Reader<T>, options?: ListOptions): Promise<T[]> => {
    const objects = await listAll(client, resource, options);
    return objects.flatMap((object) => readOne(resource, reader, object, unreadable));
  };
  const needed = async <T>(resource: Resource, reader: Reader<T>): Promise<T[]> => {
    try {
      return await list(resource, reader);
    } catch (error) {
      throw new CannotTellError(whyNotRead(error, resource));
    }
  };
  const wanted = async <T>(what: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      hidden.push(`${what} (${error.status === 403 ? 'no right to read them' : error.message}).`);
      return undefined;
    }
  };
  const agentPods = { namespace, query: { labelSelector: AGENT_PODS } };
  const [policies, networks, hosts, shards, reports, leader, nodes, agents] = await Promise.all([
    needed(POLICIES, policyViewReader()),
    needed(NETWORKS, networkReader()),
    needed(HOSTS, hostReader()),
    needed(SHARDS, shardReader()),
    needed(REPORTS, reportViewReader()),
    wanted('Whether a manager leads is not known', () => readLeader(client, namespace)),
    wanted('Whether Nodes are Ready is not known', () =>
      list(NODES, nodeReader(), { query: { labelSelector: `${AGENT_LABEL}=enabled` } }),
    ),
    wanted('Whether the pods of agents run is not known', () => list(PODS, agentPodReader(), agentPods)),
  ]);
  return {
    nowMs,
    policies,
    network: networks[0],
    hosts,
    shards,
    reports,
    leader: leader ?? { kind: 'hidden' },
    nodes: nodes && new Map(nodes.map(({ name, ready }) => [name, ready])),
    agents,
    unreadable,
    hidden: hidden.sort(),
  };
}

async function readLeader(client: Client, namespace: string): Promise<LeaderView> {
  try {
    const reading = leaseViewReader()(await client.get(LEASES, { namespace, name: MANAGER_LEASE }));
    return reading.kind === 'value' ? reading.value : { kind: 'hidden' };
  } catch (error) {
    if (isNotFound(error)) return { kind: 'absent' };
    throw error;
  }
}

function readOne<T>(resource: Resource, reader: Reader<T>, object: unknown, unreadable: string[]): T[] {
  const reading = reader(object);
  if (reading.kind === 'unreadable') {
    const { name } = (object as { metadata: { name: string } }).metadata;
    unreadable.push(`${resource.kind} ${name} cannot be read: ${reading.message.trim()}.`);
  }
  return reading.kind === 'value' ? [reading.value] : [];
}
