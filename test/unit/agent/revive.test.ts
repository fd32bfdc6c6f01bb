import { expect } from 'chai';
import { revival, type Revival } from '../../../app/agent/revive.ts';
import { childKey } from '../../../app/swanctl/loaded.ts';
import { BORROWED, config, DNS_EGRESS, DNS_INGRESS, local, peer } from '../../support/host-configs.ts';

const CONNECTION = peer('controller-1', [DNS_EGRESS, DNS_INGRESS]);
const DESIRED = config(CONNECTION, local([BORROWED]));
const EGRESS = childKey(CONNECTION.name, DNS_EGRESS.name);
const INGRESS = childKey(CONNECTION.name, DNS_INGRESS.name);

describe('revival', () => {
  let revive: Revival;
  const due = (nowMs: number, connecting: readonly string[] = []): string[] =>
    revive
      .due(DESIRED, { nowMs, random: () => 0.5, connecting: new Set(connecting) })
      .map(({ connection, child }) => childKey(connection, child));

  beforeEach(() => {
    revive = revival();
  });

  it('wants nothing back as long as charon stays', () => {
    revive.seen(new Set([EGRESS]), DESIRED, 0);
    revive.seen(new Set(), DESIRED, 0);
    expect(due(0)).to.deep.equal([]);
    expect(revive.nextInMs(0)).to.equal(Infinity);
  });

  it('wants back what was up, of both directions, and nothing of the platform or of pass children', () => {
    revive.seen(
      new Set([EGRESS, INGRESS, 'system-nodes/node', 'k8s-node-local/udp_kube-dns_ingress']),
      DESIRED,
      0,
    );
    revive.restarted();
    expect(due(0)).to.deep.equal([EGRESS, INGRESS]);
  });

  it('wants back what a charon that was told to end has just deleted, and not what went before', () => {
    revive.seen(new Set([EGRESS, INGRESS]), DESIRED, 0);
    revive.seen(new Set([INGRESS]), DESIRED, 60_000);
    revive.seen(new Set([INGRESS]), DESIRED, 65_000);
    revive.seen(new Set(), DESIRED, 70_000);
    revive.restarted();
    expect(due(71_000)).to.deep.equal([INGRESS]);
  });

  it('tries after 2, 4, 8, ... seconds, at most one minute', () => {
    revive.seen(new Set([EGRESS]), DESIRED, 0);
    revive.restarted();
    const waits: number[] = [];
    for (let nowMs = 0; waits.length < 7; nowMs += waits.at(-1) ?? 0) {
      expect(due(nowMs)).to.deep.equal([EGRESS]);
      expect(due(nowMs + 1)).to.deep.equal([]);
      revive.seen(new Set(), DESIRED, 0);
      waits.push(revive.nextInMs(nowMs));
    }
    expect(waits).to.deep.equal([2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('counts a negotiation that is under way as a try, and does not ask twice', () => {
    revive.seen(new Set([EGRESS]), DESIRED, 0);
    revive.restarted();
    expect(due(0, [CONNECTION.name])).to.deep.equal([]);
    expect(revive.nextInMs(0)).to.equal(2000);
    expect(due(2000)).to.deep.equal([EGRESS]);
  });

  it('wants it back although charon dies again before it came', () => {
    revive.seen(new Set([EGRESS]), DESIRED, 0);
    revive.restarted();
    due(0);
    revive.seen(new Set(), DESIRED, 0);
    revive.restarted();
    expect(due(1999)).to.deep.equal([]);
    expect(due(2000)).to.deep.equal([EGRESS]);
  });

  it('is content when it came back, whoever initiated it', () => {
    revive.seen(new Set([EGRESS]), DESIRED, 0);
    revive.restarted();
    revive.seen(new Set([EGRESS]), DESIRED, 0);
    expect(due(10_000)).to.deep.equal([]);
    expect(revive.nextInMs(0)).to.equal(Infinity);
  });

  it('forgets what is not desired any more', () => {
    revive.seen(new Set([EGRESS]), DESIRED, 0);
    revive.restarted();
    revive.seen(new Set(), config(), 0);
    expect(revive.nextInMs(0)).to.equal(Infinity);
    expect(due(0)).to.deep.equal([]);
  });

  it('names a connection as unanswered from the second try on', () => {
    revive.seen(new Set([EGRESS]), DESIRED, 0);
    revive.restarted();
    due(0);
    expect([...revive.unanswered(DESIRED)]).to.deep.equal([]);
    due(2000);
    expect([...revive.unanswered(DESIRED)]).to.deep.equal([CONNECTION.name]);
    revive.seen(new Set([EGRESS]), DESIRED, 0);
    expect([...revive.unanswered(DESIRED)]).to.deep.equal([]);
  });

  describe('of what is asked for', () => {
    const none = new Set<string>();
    const asked = new Set([EGRESS]);

    it('is tried at once, then with pauses that asking again does not shorten', () => {
      const tried: number[] = [];
      for (let nowMs = 0; nowMs <= 200_000; nowMs += 500) {
        revive.want(asked, asked);
        if (due(nowMs).length > 0) tried.push(nowMs);
        revive.seen(none, DESIRED, 0);
        expect(revive.nextInMs(nowMs), 'never now again').to.be.above(0);
      }
      expect(tried).to.deep.equal([0, 2000, 6000, 14_000, 30_000, 62_000, 122_000, 182_000]);
    });

    it('is tried on while it is lacking, and dropped when nobody asks any more', () => {
      revive.want(asked, asked);
      due(0);
      revive.seen(none, DESIRED, 0);
      revive.want(none, asked);
      expect(due(2000)).to.deep.equal([EGRESS]);
      expect([...revive.unanswered(DESIRED)]).to.deep.equal([CONNECTION.name]);
      revive.want(none, none);
      expect(due(10_000)).to.deep.equal([]);
      expect(revive.nextInMs(10_000)).to.equal(Infinity);
      expect([...revive.unanswered(DESIRED)]).to.deep.equal([]);
    });

    it('begins anew after it was dropped', () => {
      revive.want(asked, asked);
      for (const nowMs of [0, 2000, 6000]) due(nowMs);
      revive.want(none, none);
      revive.want(asked, asked);
      expect(due(6001)).to.deep.equal([EGRESS]);
      expect(revive.nextInMs(6001)).to.equal(2000);
    });

    it('is dropped when it is not desired any more, and when it is there', () => {
      const all = new Set([EGRESS, INGRESS, 'k8s-node-gone/tcp_x_egress']);
      revive.want(all, all);
      expect(due(0)).to.deep.equal([EGRESS, INGRESS]);
      revive.seen(new Set([INGRESS]), config(), 0);
      expect(revive.nextInMs(0)).to.equal(Infinity);
      revive.want(asked, asked);
      due(0);
      revive.seen(asked, DESIRED, 0);
      expect(revive.nextInMs(0)).to.equal(Infinity);
    });

    it('does not drop what a restart of charon took away, whoever asks', () => {
      revive.seen(asked, DESIRED, 0);
      revive.restarted();
      revive.want(asked, asked);
      revive.want(none, none);
      expect(due(0)).to.deep.equal([EGRESS]);
    });
  });
});
