import { expect } from 'chai';
import { unreachedOf, type Unreached } from '../../../app/agent/unreached.ts';
import { planHost } from '../../../app/domain/plan-host.ts';
import type { ConnectionName } from '../../../app/domain/host-config.ts';
import { failureOf } from '../../../app/swanctl/failure-words.ts';
import { CONTROLLER_0, seedFacts } from '../../support/facts-builders.ts';

const TO_WORKER_0 = 'k8s-node-worker-0' as ConnectionName;
const AT = Date.parse('2026-01-01T10:00:00.400Z');

describe('unreachedOf', () => {
  const plan = planHost(seedFacts(), CONTROLLER_0);
  const look = (line: string, nowMs = AT, before: Unreached['memory'] = new Map()): Unreached =>
    unreachedOf({
      plan,
      unanswered: new Set([TO_WORKER_0, 'k8s-node-strange' as ConnectionName]),
      heard: () => failureOf(line),
      nowMs,
      before,
    });

  it('names both hosts, since when, what to check and what charon says', () => {
    expect(look('received AUTHENTICATION_FAILED notify error').problems).to.deep.equal([
      {
        reason: 'PeerNotReached',
        subject: 'worker-0',
        message:
          'No tunnel from controller-0 to worker-0 since 2026-01-01T10:00:00Z: worker-0 does not accept the certificate of controller-0, or has none of its own to answer with. Check on controller-0 that its certificate is for CN=ipsec-controller-0 and valid at the time of worker-0, on worker-0 that it is for CN=ipsec-worker-0 and that the CA of controller-0 is in /etc/swanctl/x509ca. The log of charon on worker-0 says which. charon on controller-0 says "received AUTHENTICATION_FAILED notify error".',
      },
    ]);
  });

  it('says where to look when charon has said nothing', () => {
    expect(look('').problems[0]?.message).to.include(
      'Check charon on both hosts and the cluster-host network',
    );
  });

  it('keeps the time while it lasts, so that equal states give equal reports', () => {
    const first = look('giving up after 3 retransmits');
    const second = look('giving up after 3 retransmits', AT + 60_000, first.memory);
    expect(second.problems).to.deep.equal(first.problems);
    const healed = unreachedOf({
      plan,
      unanswered: new Set(),
      heard: () => undefined,
      nowMs: AT,
      before: second.memory,
    });
    expect(healed.problems).to.deep.equal([]);
    expect(look('', AT + 90_000, healed.memory).problems[0]?.message).to.include(
      'since 2026-01-01T10:01:30Z',
    );
  });
});
