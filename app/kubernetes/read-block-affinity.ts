// Calico's BlockAffinity: a host has claimed a block. Only a hint for a block that has no IPAMBlock yet.
import type { BlockAffinity } from '../domain/world.ts';
import { makeReader, objectOf, optional, TEXT, toHostName, toPrefix } from './schema.ts';
import type { Reader } from './schema.ts';

interface Raw {
  readonly spec: {
    readonly cidr: string;
    readonly node: string;
    /** confirmed, pending or pendingDeletion. */
    readonly state: string;
    /** Text, not a boolean. */
    readonly deleted?: string | null;
    /** host (also when absent) or virtual. */
    readonly type?: string | null;
  };
}

/** What is not confirmed, is being deleted or is no host's is ignored. */
export function blockAffinityReader(): Reader<BlockAffinity> {
  const spec = objectOf(
    { cidr: TEXT, node: TEXT, state: TEXT, deleted: optional(TEXT), type: optional(TEXT) },
    ['cidr', 'node', 'state'],
  );
  return makeReader<Raw, BlockAffinity>(objectOf({ spec }, ['spec']), ({ spec: claim }) => {
    const isHosts = (claim.type ?? 'host') === 'host' || claim.type === '';
    if (claim.state !== 'confirmed' || claim.deleted === 'true' || !isHosts) return undefined;
    return { prefix: toPrefix(claim.cidr), host: toHostName(claim.node) };
  });
}
