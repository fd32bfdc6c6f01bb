// Node: a host's addresses in the cluster-host network, whether it is ready and whether an agent should run there.
import { compareAddresses } from '../domain/ip.ts';
import type { Node } from '../domain/world.ts';
import { listOf, makeReader, METADATA, objectOf, optional, TEXT, toAddress, toHostName } from './schema.ts';
import type { Metadata, Reader } from './schema.ts';

/** StarlingX's label for hosts that run the agent. */
export const AGENT_LABEL = 'ipsec-policy-agent-operator';

interface Raw {
  readonly metadata: Metadata;
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[] | null;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[] | null;
  } | null;
}

export function nodeReader(): Reader<Node> {
  const status = objectOf(
    {
      addresses: optional(listOf(objectOf({ type: TEXT, address: TEXT }, ['type', 'address']))),
      conditions: optional(listOf(objectOf({ type: TEXT, status: TEXT }, ['type', 'status']))),
    },
    [],
  );
  const schema = objectOf({ metadata: METADATA, status: optional(status) }, ['metadata']);
  return makeReader<Raw, Node>(schema, ({ metadata, status: found }) => ({
    name: toHostName(metadata.name),
    uid: metadata.uid,
    addresses: (found?.addresses ?? [])
      .filter(({ type }) => type === 'InternalIP')
      .map(({ address }) => toAddress(address))
      .sort(compareAddresses),
    agent: metadata.labels?.[AGENT_LABEL] === 'enabled',
    ready: (found?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True'),
  }));
}
