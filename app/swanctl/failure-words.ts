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

const CAUSES: readonly (readonly [FailureCause, RegExp])[] = [
  ['no-key', /^no private key found for /],
  ['not-valid-now', /certificate invalid \(valid from /],
  ['unknown-issuer', /^no issuer certificate found for |^no trusted \S+ public key found for /],
  ['other-identity', /constraint check failed|constraint requires|does not match to /],
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

/** How much a cause explains: what was found out here more than what the peer answered, and that more than its silence. */
export function weight({ cause }: Failure): number {
  if (cause === 'silent') return 0;
  return cause === 'refused' ? 1 : 2;
}
