// What is to be said while the manager has never read a kind of object in full, and so plans nothing (invariant 1)? A kind that
// the API server does not have, and one that it does not show us, need different people; both are told apart here.
import type { PolicyCondition } from './conditions.ts';
import type { PolicyStatus } from './policy-status.ts';
import type { Policy } from './world.ts';

/** A kind whose first complete list has not come yet, after at least one failure. */
export interface UnreadKind {
  /** `ippools.crd.projectcalico.org`, as `kubectl get` takes it. */
  readonly resource: string;
  /** missing: not served (yet); forbidden: served, and not for us; failing: anything else. */
  readonly why: 'missing' | 'forbidden' | 'failing';
  /** The API server's own words. */
  readonly reason: string;
}

const REASONS = { missing: 'KindMissing', forbidden: 'KindForbidden', failing: 'KindUnread' } as const;

/** What is wrong and what to do, in one sentence. */
export function unreadSentence({ resource, why, reason }: UnreadKind): string {
  switch (why) {
    case 'missing':
      return `The API server does not serve ${resource}: ${howToServe(resource)}.`;
    case 'forbidden':
      return `The manager may not list ${resource}: its ClusterRole ipsec-policy-manager must allow list and watch; apply the application again, which restores it.`;
    case 'failing':
      return `The manager cannot list ${resource} (${reason}).`;
  }
}

function howToServe(resource: string): string {
  if (resource.endsWith('.crd.projectcalico.org'))
    return 'install Calico, or the CustomResourceDefinition that is missing of it';
  if (resource.endsWith('.starlingx.io'))
    return "apply the application again, whose chart has the kind's CustomResourceDefinition";
  return 'this Kubernetes is too old for the application';
}

/**
 * The status of a policy about which nothing can be said now: figures and rows stay as they were written last, like what is in
 * force. `unread` has at least one kind.
 */
export function statusWhileUnread(
  policy: Pick<Policy, 'generation'>,
  current: Omit<PolicyStatus, 'conditions'> | undefined,
  unread: readonly UnreadKind[],
): PolicyStatus {
  const message = [
    ...unread.map(unreadSentence),
    'Until then nothing is planned; what is in force stays, and the manager goes on by itself within 30 s.',
  ].join(' ');
  const reason = REASONS[unread[0]?.why ?? 'failing'];
  const conditions = (['Accepted', 'ResolvedRefs', 'Programmed'] as const).map((type): PolicyCondition => ({
    type,
    status: 'Unknown',
    reason,
    message,
  }));
  const before = current ?? { policies: 0, endpoints: 0, hosts: '', rows: [] };
  return { ...before, observedGeneration: policy.generation, conditions };
}
