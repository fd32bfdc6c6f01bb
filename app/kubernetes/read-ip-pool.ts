// Calico's IPPool: a prefix that pods get addresses from.
import type { Prefix } from '../domain/ip.ts';
import { listOf, makeReader, objectOf, optional, TEXT, toPrefix } from './schema.ts';
import type { Reader } from './schema.ts';

interface Raw {
  readonly spec: { readonly cidr: string; readonly allowedUses?: readonly string[] | null };
}

/** A disabled pool counts: pods that have its addresses keep them. One that is not for workloads is ignored. */
export function ipPoolReader(): Reader<Prefix> {
  const spec = objectOf({ cidr: TEXT, allowedUses: optional(listOf(TEXT)) }, ['cidr']);
  return makeReader<Raw, Prefix>(objectOf({ spec }, ['spec']), ({ spec: { cidr, allowedUses } }) => {
    const uses = allowedUses ?? [];
    return uses.length > 0 && !uses.includes('Workload') ? undefined : toPrefix(cidr);
  });
}
