// Is one flow protected, held, or could it leave in plaintext? Out of what both of its hosts have and what moved between two
// looks. Never better than the evidence: what was not seen is UNKNOWN, and a trap that only charon speaks of is no proof.

/** In the order of their weight. */
export const FLOW_VERDICTS = ['PLAINTEXT', 'UNKNOWN', 'HELD', 'PROTECTED'] as const;
export type FlowVerdict = (typeof FLOW_VERDICTS)[number];

export function compareFlowVerdicts(a: FlowVerdict, b: FlowVerdict): number {
  return FLOW_VERDICTS.indexOf(a) - FLOW_VERDICTS.indexOf(b);
}

/**
 * What charon of one host says of its child of a flow.
 * ```
 * sa, trap         a CHILD_SA is installed, or a trap policy: a packet goes into a tunnel or waits for one
 * loaded           known, and neither: nothing in the kernel is for it
 * other-selectors  its name is there for another flow
 * absent           not loaded
 * ```
 */
export type ChildState = 'sa' | 'trap' | 'loaded' | 'other-selectors' | 'absent';

export interface EndEvidence {
  readonly host: string;
  /** Or why charon could not be asked. */
  readonly child: ChildState | { readonly unread: string };
  /** Whether the guard there drops what has no tunnel for this endpoint; undefined: it could not be read. */
  readonly holds: boolean | undefined;
}

/** What moved between two looks at both hosts. */
export interface FlowTraffic {
  readonly seconds: number;
  /** Packets from client to endpoint and back that went through one SA that both hosts have: the smaller of what both count. */
  readonly there: number;
  readonly back: number;
  /** Packets towards the endpoint that the guard of the client's host saw; undefined: not counted. */
  readonly seen: number | undefined;
  /** A probe was sent from a pod of the client's host. */
  readonly isProbed: boolean;
}

export interface FlowEvidence {
  readonly client: EndEvidence;
  readonly endpoint: EndEvidence;
  readonly traffic: FlowTraffic;
}

export interface FlowJudgement {
  readonly verdict: FlowVerdict;
  /** One sentence. */
  readonly reason: string;
}

export function judgeFlow(evidence: FlowEvidence): FlowJudgement {
  const { client, endpoint, traffic } = evidence;
  const ends = [judgeEnd(client, 'requests of its pods'), judgeEnd(endpoint, 'replies of the endpoint')];
  const worst = worstJudgement(ends);
  return worst.verdict === 'PROTECTED' ? judgeTraffic(evidence, traffic) : worst;
}

export function worstJudgement(judgements: readonly FlowJudgement[]): FlowJudgement {
  const [first, ...others] = judgements.toSorted((a, b) => compareFlowVerdicts(a.verdict, b.verdict));
  if (first === undefined) return { verdict: 'UNKNOWN', reason: 'There is nothing to judge.' };
  const same = others.filter(({ verdict, reason }) => verdict === first.verdict && reason !== first.reason);
  return { ...first, reason: [...new Set([first, ...same].map(({ reason }) => reason))].join(' ') };
}

const CHILD_WORDS: Readonly<Record<Exclude<ChildState, 'sa' | 'trap'>, string>> = {
  loaded: 'has neither a trap nor an SA for it',
  'other-selectors': 'has its child loaded for another flow',
  absent: 'has not loaded it',
};

/**
 * ```
 *                   guard holds   guard does not   not known
 * sa, trap          PROTECTED     PROTECTED        PROTECTED     as far as this end goes
 * nothing           HELD          PLAINTEXT        UNKNOWN
 * charon not asked  HELD          UNKNOWN          UNKNOWN       its policies may still be in the kernel
 * ```
 */
function judgeEnd({ host, child, holds }: EndEvidence, packets: string): FlowJudgement {
  if (child === 'sa' || child === 'trap') return { verdict: 'PROTECTED', reason: '' };
  if (typeof child === 'object') {
    const asked = `charon of ${host} cannot be asked (${child.unread})`;
    return holds === true
      ? { verdict: 'HELD', reason: `${asked}; the guard there holds ${packets} that have no tunnel.` }
      : { verdict: 'UNKNOWN', reason: `${asked}, and no guard is known to hold there.` };
  }
  const lacks = `${host} ${CHILD_WORDS[child]}`;
  switch (holds) {
    case true:
      return { verdict: 'HELD', reason: `${lacks}; the guard there holds ${packets}.` };
    case false:
      return { verdict: 'PLAINTEXT', reason: `${lacks} and no guard holds: ${packets} leave in plaintext.` };
    case undefined:
      return { verdict: 'UNKNOWN', reason: `${lacks}, and its guard could not be read.` };
  }
}

/** Both ends have a trap or an SA. */
function judgeTraffic({ client, endpoint }: FlowEvidence, traffic: FlowTraffic): FlowJudgement {
  const { seconds, there, back, seen, isProbed } = traffic;
  const isHeldAnyway = client.holds === true && endpoint.holds === true;
  const guardless = [client, endpoint].filter(({ holds }) => holds !== true).map(({ host }) => host);
  const withoutGuard = `no guard holds on ${guardless.join(' and ')}`;
  if (there > 0) {
    const note = isHeldAnyway ? '' : `; ${withoutGuard} should charon have a gap`;
    return {
      verdict: 'PROTECTED',
      reason: `${there} packets there and ${back} back went through the tunnel in ${seconds} s${note}.`,
    };
  }
  const sent = isProbed ? 'A probe was sent' : `${seen ?? 0} packets towards it were seen`;
  if (isProbed || (seen ?? 0) > 0)
    return isHeldAnyway
      ? { verdict: 'HELD', reason: `${sent} and none went through a tunnel; the guard holds what has none.` }
      : { verdict: 'UNKNOWN', reason: `${sent} and none went through a tunnel, and ${withoutGuard}.` };
  return isHeldAnyway
    ? {
        verdict: 'PROTECTED',
        reason: `No traffic seen in ${seconds} s; both ends are ready and both guards hold.`,
      }
    : {
        verdict: 'UNKNOWN',
        reason: `No traffic seen in ${seconds} s, and ${withoutGuard}: that both ends are ready is charon's word alone. Send traffic, or use --probe-from.`,
      };
}
