// Why a tunnel cannot be made, in charon's own words: two real charons, one fault after the other, and the ear of the agent at the
// one that asks. Which words mean which fault is a table in failure-words.ts; this is where they come from.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { charonEar, type CharonEar } from '../../app/agent/charon-ear.ts';
import { systemClock } from '../../app/runtime/clock.ts';
import type { FailureCause } from '../../app/swanctl/failure-words.ts';
import { PAIR, startCharonPair, type CharonPair } from '../support/charon-pair.ts';
import { nativeCharonMissing } from '../support/native-charon.ts';
import { until } from '../support/until.ts';
import { makePki } from '../testbed/lab/pki.ts';

const CONNECTION = `k8s-node-${PAIR.far}`;
const BLOCKED =
  'table inet firewall { chain in { type filter hook input priority 0; udp dport { 500, 4500 } drop; }; }';

interface Fault {
  readonly name: string;
  readonly make: (pair: CharonPair) => Promise<void> | void;
  readonly cause: FailureCause;
}

const own = (pair: CharonPair, end: 'near' | 'far'): ReturnType<CharonPair['pki']['issue']> =>
  pair.pki.issue(`ipsec-${PAIR[end]}`);

const FAULTS: readonly Fault[] = [
  {
    name: 'the own certificate is for another name',
    make: (pair) => pair.certify('near', pair.pki.issue('ipsec-worker-9')),
    cause: 'no-key',
  },
  {
    name: "the peer's certificate is for another name",
    make: (pair) => pair.certify('far', pair.pki.issue('ipsec-worker-9')),
    cause: 'refused',
  },
  {
    name: 'the own certificate is over',
    make: (pair) => pair.certify('near', pair.pki.expired(`ipsec-${PAIR.near}`)),
    cause: 'refused',
  },
  {
    name: "the peer's certificate is over",
    make: (pair) => pair.certify('far', pair.pki.expired(`ipsec-${PAIR.far}`)),
    cause: 'not-valid-now',
  },
  {
    name: "the CA of the peer's certificate is unknown",
    make: async (pair) => {
      const dir = mkdtempSync(join(tmpdir(), 'other-pki-'));
      await pair.certify('far', makePki(dir, 'ecdsa').issue(`ipsec-${PAIR.far}`));
      rmSync(dir, { recursive: true, force: true });
    },
    cause: 'unknown-issuer',
  },
  {
    name: 'the CA of the own certificate is unknown to the peer',
    make: (pair) => pair.certify('far', own(pair, 'far'), []),
    cause: 'refused',
  },
  {
    name: 'there is no algorithm in common',
    make: (pair) => pair.connect('far', { ikeProposal: 'aes256-sha384-modp4096' }),
    cause: 'proposals',
  },
  { name: 'a firewall drops UDP 500 and 4500', make: (pair) => pair.nft(BLOCKED), cause: 'silent' },
];

describe('why a tunnel cannot be made', function () {
  this.timeout(60_000);
  const missing = nativeCharonMissing();
  let pair: CharonPair;
  let ear: CharonEar;

  before(async function () {
    if (missing !== undefined) return this.skip();
    pair = await startCharonPair();
  });
  after(async () => {
    if (missing === undefined) await pair.stop();
  });

  beforeEach(async () => {
    for (const end of ['near', 'far'] as const) {
      await pair.certify(end, own(pair, end));
      await pair.connect(end);
    }
    ear = charonEar({
      path: pair.path('near'),
      timeoutMs: 5000,
      clock: systemClock,
      onNews: () => undefined,
    });
    await ear.listen(true);
  });
  afterEach(async () => {
    ear.close();
    await pair.terminate();
  });

  it('nothing is heard of one that is made', async () => {
    await pair.initiate(10_000);
    expect(ear.heard(CONNECTION)).to.equal(undefined);
  });

  for (const { name, make, cause } of FAULTS)
    it(`${name}: ${cause}`, async () => {
      await make(pair);
      await pair.initiate(6000).catch(() => undefined);
      await until('it is heard', () => ear.heard(CONNECTION) !== undefined);
      const heard = ear.heard(CONNECTION);
      console.log(`      ${heard?.words}`);
      expect(heard?.cause).to.equal(cause);
    });
});
