// A dump of the cluster, as `kubectl get ... -A -o yaml` prints it, as the world that the manager would see: one list or
// several documents, in any order. What cannot be read, would be refused or is missing altogether is named, not passed over.
import { loadAll, YAMLException } from 'js-yaml';
import { compareText } from '../domain/problem.ts';
import type { World } from '../domain/world.ts';
import { blockAffinityReader } from '../kubernetes/read-block-affinity.ts';
import { endpointSliceReader } from '../kubernetes/read-endpoint-slice.ts';
import { ipPoolReader } from '../kubernetes/read-ip-pool.ts';
import { ipamBlockReader } from '../kubernetes/read-ipam-block.ts';
import { nodeReader } from '../kubernetes/read-node.ts';
import { policyRefusals, unknownFields } from '../kubernetes/policy-rules.ts';
import { policyReader } from '../kubernetes/read-policy.ts';
import { serviceReader } from '../kubernetes/read-service.ts';
import { POLICIES } from '../kubernetes/resources.ts';
import type { Reader } from '../kubernetes/schema.ts';
import type { WorldError } from '../runtime/errors.ts';

/** The dump is no YAML, or not of Kubernetes objects; the message says what to give. */
export class DumpError extends Error implements WorldError {
  override readonly name = 'DumpError';
  readonly retry = 'never';
}

export interface Dump {
  readonly world: World;
  /** Objects that are there and count for nothing, each with the reason; sorted. */
  readonly unreadable: readonly string[];
  /** Policies that the API server or kubectl would refuse, and that therefore count for nothing; sorted. */
  readonly refused: readonly string[];
  /** Kinds of which every cluster has an object and the dump has none, with what is unknown for it. */
  readonly missing: readonly string[];
}

/** What a plan does not know without the kind. */
const NEEDED: Readonly<Record<string, string>> = {
  Service: 'no service can be found',
  EndpointSlice: 'no service has an endpoint',
  Node: 'there is no host to plan for',
  IPAMBlock: 'nobody knows which host a pod is on',
  BlockAffinity: 'the newest blocks of hosts are not known',
  IPPool: 'nobody knows which addresses pods may have',
};

/** Throws DumpError when it is no YAML or has no IPsecPolicy. */
export function readDump(yaml: string): Dump {
  const objects = readObjects(yaml);
  const { refused, admitted } = admit(objects);
  const unreadable: string[] = [];
  const read = <T>(kind: string, reader: Reader<T>): T[] =>
    admitted
      .filter((object) => kindOf(object) === kind)
      .flatMap((object) => {
        const reading = reader(withIdentity(object));
        if (reading.kind === 'unreadable')
          unreadable.push(`${kind} ${nameOf(object)}: ${reading.message.trim()}`);
        return reading.kind === 'value' ? [reading.value] : [];
      });
  const world = {
    policies: read('IPsecPolicy', policyReader()).map(({ policy }) => policy),
    services: read('Service', serviceReader()),
    slices: read('EndpointSlice', endpointSliceReader()),
    nodes: read('Node', nodeReader()),
    blocks: read('IPAMBlock', ipamBlockReader()),
    affinities: read('BlockAffinity', blockAffinityReader()),
    pools: read('IPPool', ipPoolReader()),
  };
  const there = new Set(objects.map(kindOf));
  const missing = Object.entries(NEEDED)
    .filter(([kind]) => !there.has(kind))
    .map(([kind, unknown]) => `no ${kind} is in the dump, so ${unknown}`);
  return { world, unreadable: unreadable.sort(compareText), refused, missing };
}

/** As the API server would, and kubectl before it. */
function admit(objects: readonly unknown[]): { refused: string[]; admitted: unknown[] } {
  const refused: string[] = [];
  const admitted = objects.filter((object) => {
    if (kindOf(object) !== POLICIES.kind) return true;
    const reasons = [
      ...policyRefusals(object),
      ...unknownFields(object).map((field) => `${field} is no field of an IPsecPolicy`),
    ];
    if (reasons.length > 0) refused.push(`${POLICIES.kind} ${nameOf(object)}: ${reasons.join('; ')}`);
    return reasons.length === 0;
  });
  return { refused: refused.sort(compareText), admitted };
}

/** Everything that a plan needs. */
export const HOW_TO =
  'kubectl get ipsecpolicies,services,endpointslices,nodes,ipamblocks.crd.projectcalico.org,blockaffinities.crd.projectcalico.org,ippools.crd.projectcalico.org -A -o yaml';

function readObjects(yaml: string): unknown[] {
  const objects = loadDocuments(yaml).flatMap((document) => {
    const items = (document as { items?: unknown } | null)?.items;
    return Array.isArray(items) ? (items as unknown[]) : [document];
  });
  if (!objects.some((object) => kindOf(object) === 'IPsecPolicy'))
    throw new DumpError(`the dump has no IPsecPolicy; make it with: ${HOW_TO}`);
  return objects;
}

function loadDocuments(yaml: string): unknown[] {
  try {
    return loadAll(yaml);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const [firstLine = ''] = error.message.split('\n');
    throw new DumpError(`the dump is not YAML: ${firstLine}`);
  }
}

interface ObjectText {
  readonly kind?: unknown;
  readonly metadata?: { readonly namespace?: unknown; readonly name?: unknown } | null;
}

function kindOf(object: unknown): string | undefined {
  const kind = (object as ObjectText | null | undefined)?.kind;
  return typeof kind === 'string' ? kind : undefined;
}

function nameOf(object: unknown): string {
  const { namespace, name } = (object as ObjectText).metadata ?? {};
  return (
    [namespace, name].filter((text) => typeof text === 'string' && text !== '').join('/') || 'without a name'
  );
}

/** A policy that was never applied has no uid and no version yet. */
function withIdentity(object: unknown): unknown {
  const { metadata, ...rest } = object as ObjectText;
  return { ...rest, metadata: { uid: 'offline', resourceVersion: '0', ...metadata } };
}
