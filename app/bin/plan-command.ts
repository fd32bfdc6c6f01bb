// `plan`: what would each host load, given a dump of the cluster? Offline, with the same pure code as manager and agents, and
// hosts that answer at once. The dump is what `kubectl get ... -A -o yaml` prints (README), one list or several documents.
import { loadAll } from 'js-yaml';
import {
  DEFAULT_PARAMETERS,
  shardName,
  type Facts,
  type HostReport,
  type ShardFact,
} from '../domain/facts.ts';
import { networkSpec } from '../domain/network.ts';
import { resolve, type Resolved } from '../domain/resolve.ts';
import { isSameShard, rollOut } from '../domain/roll-out.ts';
import type { World } from '../domain/world.ts';
import { blockAffinityReader } from '../kubernetes/read-block-affinity.ts';
import { endpointSliceReader } from '../kubernetes/read-endpoint-slice.ts';
import { ipPoolReader } from '../kubernetes/read-ip-pool.ts';
import { ipamBlockReader } from '../kubernetes/read-ipam-block.ts';
import { nodeReader } from '../kubernetes/read-node.ts';
import { policyReader } from '../kubernetes/read-policy.ts';
import { serviceReader } from '../kubernetes/read-service.ts';
import type { Reader } from '../kubernetes/schema.ts';
import type { WorldError } from '../runtime/errors.ts';
import { renderPlans } from '../swanctl/plan-text.ts';

/** The dump is no YAML, or not of Kubernetes objects; the message says what to give. */
export class DumpError extends Error implements WorldError {
  override readonly name = 'DumpError';
  readonly retry = 'never';
}

/** The conf file of each host, each under a line `### <host>`, with problems as comments before. Throws DumpError. */
export function planFromDump(yaml: string): string {
  const objects = readObjects(yaml);
  const { world, unreadable } = readWorld(objects);
  const resolved = resolve(world);
  const problems = [...resolved.rows.flatMap((row) => row.problems), ...resolved.problems];
  const facts = settle(resolved);
  const files = [...renderPlans(facts)].map(([host, text]) => `### ${host}\n${text}`);
  const lines = [
    ...unreadable.map((message) => `# not readable: ${message}\n`),
    ...problems.map(({ reason, subject, message }) => `# ${reason} ${subject}: ${message}\n`),
  ];
  return [...new Set(lines), ...files].join('');
}

function readObjects(yaml: string): unknown[] {
  let documents: unknown[];
  try {
    documents = loadAll(yaml);
  } catch (error) {
    throw new DumpError(`the dump is not YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
  const objects = documents.flatMap((document) => {
    const items = (document as { items?: unknown } | null)?.items;
    return Array.isArray(items) ? (items as unknown[]) : [document];
  });
  if (!objects.some((object) => kindOf(object) === 'IPsecPolicy'))
    throw new DumpError(
      'the dump has no IPsecPolicy; make it with: kubectl get ipsecpolicies,services,endpointslices,nodes,ipamblocks.crd.projectcalico.org,blockaffinities.crd.projectcalico.org,ippools.crd.projectcalico.org -A -o yaml',
    );
  return objects;
}

function kindOf(object: unknown): string | undefined {
  const kind = (object as { kind?: unknown } | null)?.kind;
  return typeof kind === 'string' ? kind : undefined;
}

function readWorld(objects: readonly unknown[]): { world: World; unreadable: string[] } {
  const unreadable: string[] = [];
  const read = <T>(kind: string, reader: Reader<T>): T[] =>
    objects
      .filter((object) => kindOf(object) === kind)
      .flatMap((object) => {
        const reading = reader(withIdentity(object));
        if (reading.kind === 'unreadable') unreadable.push(`${kind}: ${reading.message}`);
        return reading.kind === 'value' ? [reading.value] : [];
      });
  return {
    unreadable,
    world: {
      policies: read('IPsecPolicy', policyReader()).map(({ policy }) => policy),
      services: read('Service', serviceReader()),
      slices: read('EndpointSlice', endpointSliceReader()),
      nodes: read('Node', nodeReader()),
      blocks: read('IPAMBlock', ipamBlockReader()),
      affinities: read('BlockAffinity', blockAffinityReader()),
      pools: read('IPPool', ipPoolReader()),
    },
  };
}

/** A policy that was never applied has no uid and no version yet. */
function withIdentity(object: unknown): unknown {
  const { metadata, ...rest } = object as { metadata?: object };
  return { ...rest, metadata: { uid: 'offline', resourceVersion: '0', ...metadata } };
}

/** More rounds than there are stages and states to go through. */
const ROUNDS = 20;

/** Hosts that answer each version at once take everything to where it stays. */
function settle(resolved: Resolved): Facts {
  const uid = 'offline';
  const network = {
    uid,
    ...networkSpec({ parameters: DEFAULT_PARAMETERS, guardMode: 'enforce' }, resolved.pools),
  };
  let shards: readonly ShardFact[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const reports = resolved.hosts.map(({ name }) => reportOf(name, uid, shards));
    const plan = rollOut(resolved, { shards, reports, overdue: new Set(), noAgentsOverdue: true });
    const known = new Map(shards.map((shard) => [shard.version.name, shard]));
    shards = plan.shards.map((spec) => {
      const name = shardName(spec);
      const before = known.get(name);
      if (before !== undefined && isSameShard(spec, before)) return before;
      return { ...spec, version: { name, uid, generation: (before?.version.generation ?? 0) + 1 } };
    });
  }
  return { network, hosts: resolved.hosts, shards };
}

function reportOf(host: HostReport['host'], networkUid: string, shards: readonly ShardFact[]): HostReport {
  return {
    host,
    networkUid,
    loaded: shards.map(({ version }) => version),
    problems: [],
    peersNotReached: [],
    counters: { connections: 0, flows: 0, flowsInForce: 0, childSas: 0 },
    charonVersion: '',
  };
}
