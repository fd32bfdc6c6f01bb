// Why could no tunnel be made? What charon says in its log while one is negotiated, as a cause. Words of strongSwan 5.9.8
// (src/libcharon/sa, src/libstrongswan/credentials), each seen in the testbed. What a person should do: agent/unreached.ts.

/** `refused` and `proposals-refused` are the peer's answers; the others are found out here. */
export type FailureCause =
  | 'no-key'
  | 'not-valid-now'
  | 'unknown-issuer'
  | 'other-identity'
  | 'proposals'
  | 'flow-unknown'
  | 'refused'
  | 'silent';

export interface Failure {
  readonly cause: FailureCause;
  /** As charon said it, short enough for a condition. */
  readonly words: string;
}

/** The one that explains most first: what follows from it is said as well, and later. */
const CAUSES: readonly (readonly [FailureCause, RegExp])[] = [
  ['no-key', /^no private key found for /],
  ['not-valid-now', /certificate invalid \(valid from /],
  ['unknown-issuer', /^no issuer certificate found for /],
  ['other-identity', /constraint check failed|constraint requires|does not match to /],
  ['unknown-issuer', /^no trusted \S+ public key found for /],
  ['proposals', /NO_PROPOSAL_CHOSEN|no (?:acceptable )?proposal|proposals? unacceptable/],
  ['flow-unknown', /TS_UNACCEPTABLE/],
  ['refused', /received AUTHENTICATION_FAILED/],
  ['silent', /^retransmit \d+ of request|^giving up after \d+ retransmits|peer not responding/],
];

const WORDS_LENGTH = 200;

/** Undefined for what is no failure, and for lines that say less than the one before them. */
export function failureOf(line: string): Failure | undefined {
  const text = line.trim();
  const found = CAUSES.find(([, pattern]) => pattern.test(text));
  return found === undefined ? undefined : { cause: found[0], words: text.slice(0, WORDS_LENGTH) };
}

/** The one of two that explains more; of equals the first, so that what is said stays. */
export function weightier(one: Failure | undefined, other: Failure): Failure {
  return one === undefined || rank(other) < rank(one) ? other : one;
}

function rank({ words }: Failure): number {
  return CAUSES.findIndex(([, pattern]) => pattern.test(words));
}
