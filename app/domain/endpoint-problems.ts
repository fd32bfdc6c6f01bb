// How do problems of endpoints read? One problem for each reason and host, with the first few addresses: a service with a
// thousand endpoints in the wrong place is one sentence, not a thousand.
import type { Address } from './ip.ts';
import { compareProblems, type Problem } from './problem.ts';

export type EndpointProblemReason =
  'EndpointOnHostNetwork' | 'EndpointWithoutOwner' | 'EndpointHostMismatch' | 'HostWithoutAgent';

/** One thing found at one endpoint; `host` is its owner, `nodeName` what its slice says instead. */
export interface EndpointFinding {
  readonly reason: EndpointProblemReason;
  readonly address: Address;
  readonly host?: string;
  readonly nodeName?: string;
}

const NAMED_AT_MOST = 3;

/** Problems of the service `subject`, sorted; addresses in the order in which they were found. */
export function endpointProblems(subject: string, findings: readonly EndpointFinding[]): Problem[] {
  const groups = Map.groupBy(
    findings,
    (found) => `${found.reason} ${found.host ?? ''} ${found.nodeName ?? ''}`,
  );
  return [...groups.values()]
    .flatMap(([first, ...rest]) => (first === undefined ? [] : [problem(subject, [first, ...rest])]))
    .sort(compareProblems);
}

function problem(subject: string, found: readonly [EndpointFinding, ...EndpointFinding[]]): Problem {
  const [first] = found;
  const addresses = shorten(
    found.map(({ address }) => address),
    NAMED_AT_MOST,
  );
  return { reason: first.reason, subject, message: sentence(first, subject, addresses) };
}

function sentence(
  { reason, host = '', nodeName = '' }: EndpointFinding,
  subject: string,
  addresses: string,
): string {
  switch (reason) {
    case 'EndpointOnHostNetwork':
      return `Endpoints of ${subject} are in a host's own network and stay unprotected: ${addresses}. Run these pods without hostNetwork.`;
    case 'EndpointWithoutOwner':
      return `No Calico block holds these endpoints of ${subject}, so their host is not known: ${addresses}. Check that they are pods of this cluster.`;
    case 'EndpointHostMismatch':
      return `Endpoints of ${subject} are said to be on ${nodeName}, but their addresses belong to ${host}: ${addresses}. The address decides; check Calico's blocks.`;
    case 'HostWithoutAgent':
      return `Endpoints of ${subject} are on ${host}, which has no agent, and requests to them from other hosts are held: ${addresses}. Label the host ipsec-policy-agent-operator=enabled.`;
  }
}

/** `a, b, c and 7 more`. */
export function shorten(names: readonly string[], atMost: number): string {
  const rest = names.length - atMost;
  return names.slice(0, atMost).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
