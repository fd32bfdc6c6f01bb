import { expect } from 'chai';
import { failureOf, weight, type Failure } from '../../../app/swanctl/failure-words.ts';

/** Lines of charon 5.9.8, without what its log puts before them. */
const LINES: readonly (readonly [string, Failure['cause'] | undefined])[] = [
  ['received AUTHENTICATION_FAILED notify error', 'refused'],
  ['received NO_PROPOSAL_CHOSEN notify error', 'proposals'],
  ['no acceptable proposal found', 'proposals'],
  ['received TS_UNACCEPTABLE notify, no CHILD_SA built', 'flow-unknown'],
  ["no private key found for 'CN=ipsec-worker-0'", 'no-key'],
  ["no trusted ECDSA public key found for 'CN=ipsec-controller-0'", 'unknown-issuer'],
  ['no issuer certificate found for "CN=ipsec-controller-0"', 'unknown-issuer'],
  [
    '  subject certificate invalid (valid from Nov 24 15:56:50 2026 to Nov 23 15:56:50 2026)',
    'not-valid-now',
  ],
  ["constraint check failed: identity 'CN=ipsec-worker-0' required", 'other-identity'],
  ['retransmit 1 of request with message ID 0', 'silent'],
  ['giving up after 3 retransmits', 'silent'],
  ['establishing IKE_SA failed, peer not responding', 'silent'],
  ['sending packet: from 192.168.206.66[500] to 192.168.206.2[500] (624 bytes)', undefined],
  ['IKE_SA k8s-node-controller-0[3] established between ...', undefined],
];

describe('failureOf', () => {
  for (const [line, cause] of LINES)
    it(`${cause === undefined ? 'hears nothing in' : `hears ${cause} in`} "${line.trim()}"`, () => {
      expect(failureOf(line)?.cause).to.equal(cause);
    });

  it('keeps words short enough for a condition', () => {
    expect(failureOf(`no private key found for '${'x'.repeat(5000)}'`)?.words).to.have.length(200);
  });
});

describe('weight', () => {
  it('is more for what was found out here than for an answer, and more for that than for silence', () => {
    const weights = [
      'subject certificate invalid (valid from A to B)',
      'received AUTHENTICATION_FAILED notify error',
      'giving up after 3 retransmits',
    ].map((line) => weight(failureOf(line)!));
    expect(weights).to.deep.equal([2, 1, 0]);
  });
});
