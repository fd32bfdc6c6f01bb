import { expect } from 'chai';
import { DEFAULT_PARAMETERS } from '../../../app/domain/facts.ts';
import type { ConnectionName, HostConfig } from '../../../app/domain/host-config.ts';
import { contentText } from '../../../app/swanctl/conf-text.ts';
import { diff, type DiffInput, type WantedChild } from '../../../app/swanctl/diff.ts';
import type { Step } from '../../../app/swanctl/steps.ts';
import {
  BORROWED,
  child,
  config,
  DNS_EGRESS,
  DNS_INGRESS,
  local,
  METRICS_EGRESS,
  peer,
} from '../../support/host-configs.ts';
import { childSa, ikeSa, loaded } from '../../support/loaded-builders.ts';

const NOW = '2026-11-24T12:00:00.000Z';
const C1 = 'k8s-node-controller-1';
const EGRESS_SA = childSa(
  'udp_kube-dns_egress',
  11,
  '172.16.192.64/26[udp]',
  '172.16.166.178/32[udp/domain]',
);
const INGRESS_SA = childSa(
  'udp_kube-dns_ingress',
  12,
  '172.16.192.115/32[udp/domain]',
  '172.16.166.128/26[udp]',
);
const BOTH = config(peer('controller-1', [DNS_EGRESS, DNS_INGRESS]));
const WORKER = peer('worker-0', [DNS_EGRESS]);

/** An agent that has loaded `before` over this session, and a charon and file that agree. */
function input(before: HostConfig, desired: HostConfig, changes: Partial<DiffInput> = {}): DiffInput {
  const sent = new Map(before.connections.map((item) => [item.name, contentText(item)]));
  return { desired, file: before, loaded: loaded(before), sent, now: NOW, ...changes };
}

/** `load k8s-node-x`, `terminate-child udp_a_egress 11`: one line a step. */
function lines(steps: readonly Step[]): string[] {
  return steps.map((step) => {
    const { kind, ...rest } = step;
    const names = Object.values(rest).map((value: unknown) =>
      typeof value === 'object' && value !== null && 'name' in value ? value.name : value,
    );
    return [kind, ...names.filter((value) => typeof value !== 'object')].map(String).join(' ');
  });
}

describe('diff', () => {
  it('has nothing to do when file, charon and memory are as desired', () => {
    expect(diff(input(BOTH, BOTH))).to.deep.equal([]);
  });

  it('loads everything once when it does not know what was sent, and writes no file that is right', () => {
    expect(lines(diff(input(BOTH, BOTH, { sent: new Map() })))).to.deep.equal([`load-connection ${C1}`]);
  });

  it('loads again what charon has lost a child of', () => {
    const lost = loaded(config(peer('controller-1', [DNS_EGRESS])));
    expect(lines(diff(input(BOTH, BOTH, { loaded: lost })))).to.deep.equal([`load-connection ${C1}`]);
  });

  it('loads again what somebody loaded for another flow under the same name', () => {
    const stranger = child(DNS_EGRESS.name, '172.16.192.64/26[udp]', '172.16.166.179/32[udp/53]');
    const found = loaded(config(peer('controller-1', [stranger, DNS_INGRESS])));
    expect(lines(diff(input(BOTH, BOTH, { loaded: found })))).to.deep.equal([`load-connection ${C1}`]);
  });

  it('puts back traps that someone took from children that stay as they are, without loading them', () => {
    const none = { ...METRICS_EGRESS, startAction: 'none' as const };
    const desired = config(peer('controller-1', [DNS_EGRESS, DNS_INGRESS, none]), local([BORROWED]));
    const trapless = { ...loaded(desired), traps: new Set([`${C1}/udp_kube-dns_ingress`]) };
    expect(lines(diff(input(desired, desired, { loaded: trapless })))).to.deep.equal([
      `install-trap ${C1} udp_kube-dns_egress`,
      'install-trap k8s-node-local udp_kube-dns_ingress',
    ]);
  });

  it('leaves the traps of a connection that it loads to the next look', () => {
    const desired = config(peer('controller-1', [DNS_EGRESS, DNS_INGRESS]));
    const trapless = { ...loaded(BOTH), traps: new Set<string>() };
    expect(lines(diff(input(BOTH, desired, { loaded: trapless, sent: new Map() })))).to.deep.equal([
      `load-connection ${C1}`,
    ]);
  });

  it('adds: the file with everything first, then only what differs', () => {
    const desired = config(...BOTH.connections, WORKER, local([BORROWED]));
    const steps = diff(input(BOTH, desired));
    expect(lines(steps)).to.deep.equal([
      'write-file',
      'load-connection k8s-node-local',
      'load-connection k8s-node-worker-0',
    ]);
    expect(steps[0]).to.deep.equal({ kind: 'write-file', config: desired });
  });

  it('loads what grows before what shrinks, whatever their names', () => {
    const before = config(peer('controller-1', [DNS_EGRESS, DNS_INGRESS]), WORKER);
    const desired = config(
      peer('controller-1', [DNS_INGRESS]),
      peer('worker-0', [DNS_EGRESS, METRICS_EGRESS]),
    );
    expect(lines(diff(input(before, desired)))).to.deep.equal([
      'write-file',
      'load-connection k8s-node-worker-0',
      `load-connection ${C1}`,
    ]);
  });

  it("removes a child: file, load without it, then the SA by the client's host only", () => {
    const desired = config(peer('controller-1', [METRICS_EGRESS]));
    const before = config(peer('controller-1', [DNS_EGRESS, DNS_INGRESS, METRICS_EGRESS]));
    const up = loaded(before, ikeSa(C1, 1, { children: [EGRESS_SA, INGRESS_SA] }));
    expect(lines(diff(input(before, desired, { loaded: up })))).to.deep.equal([
      'write-file',
      `load-connection ${C1}`,
      `terminate-child ${C1} udp_kube-dns_egress 11`,
    ]);
    const later = loaded(desired, ikeSa(C1, 1, { children: [INGRESS_SA] }));
    expect(diff(input(desired, desired, { loaded: later }))).to.deep.equal([]);
    expect(lines(diff(input(desired, desired, { loaded: later, stale: new Set([12]) })))).to.deep.equal([
      `terminate-child ${C1} udp_kube-dns_ingress 12`,
    ]);
  });

  it('removes a connection: no file, unload, then its IKE_SA as a whole', () => {
    const before = config(peer('controller-1', [DNS_EGRESS]));
    const up = loaded(before, ikeSa(C1, 1, { children: [EGRESS_SA] }));
    expect(lines(diff(input(before, config(), { loaded: up })))).to.deep.equal([
      'remove-file',
      `unload-connection ${C1}`,
      `terminate-ike ${C1} 1`,
    ]);
  });

  it("keeps the IKE_SA of a removed connection while the client's host has an SA in it to end", () => {
    const up = loaded(BOTH, ikeSa(C1, 1, { children: [EGRESS_SA, INGRESS_SA] }));
    expect(lines(diff(input(BOTH, config(), { loaded: up })))).to.deep.equal([
      'remove-file',
      `unload-connection ${C1}`,
      `terminate-child ${C1} udp_kube-dns_egress 11`,
    ]);
  });

  it('leaves two SAs of one child, a replaced one and a deleted one alone', () => {
    const children = [
      EGRESS_SA,
      { ...EGRESS_SA, uniqueId: 13, state: 'REKEYED' },
      { ...EGRESS_SA, uniqueId: 14 },
    ];
    const up = loaded(BOTH, ikeSa(C1, 1, { children }), ikeSa('k8s-node-gone', 2, { state: 'DELETING' }));
    expect(diff(input(BOTH, BOTH, { loaded: up }))).to.deep.equal([]);
  });

  it('leaves an SA alone whose protocol charon prints as another one', () => {
    const misprinted = { ...EGRESS_SA, localTs: ['172.16.192.64/26[tcp]'] };
    const up = loaded(BOTH, ikeSa(C1, 1, { children: [misprinted] }));
    expect(diff(input(BOTH, BOTH, { loaded: up }))).to.deep.equal([]);
  });

  it('ends an SA that bears the name of a child but carries another flow', () => {
    const other = { ...EGRESS_SA, remoteTs: ['172.16.166.179/32[udp/domain]'] };
    const up = loaded(BOTH, ikeSa(C1, 1, { children: [other] }));
    expect(lines(diff(input(BOTH, BOTH, { loaded: up })))).to.deep.equal([
      `terminate-child ${C1} udp_kube-dns_egress 11`,
    ]);
  });

  it('names nothing that is not ours', () => {
    const strangers = [
      'system-nodes',
      'k8s-node-',
      'k8s-node-a.b',
      'k8s-node-system-nodes',
      'my-k8s-node-x',
      'k8s-node-x y',
    ];
    const foreign = loaded(config(...strangers.map((name) => ({ ...WORKER, name: name as ConnectionName }))));
    const ikeSas = strangers.map((name, index) => ikeSa(name, index, { children: [EGRESS_SA] }));
    const stale = new Set([11]);
    expect(
      diff(input(config(), config(), { loaded: { ...foreign, ikeSas }, file: undefined, stale })),
    ).to.deep.equal([]);
  });

  it('writes an unreadable file anew, and loads all in doubt', () => {
    const unreadable = { unreadable: 'line 1: ...' };
    expect(lines(diff(input(BOTH, BOTH, { file: unreadable })))).to.deep.equal(['write-file']);
    expect(lines(diff(input(BOTH, BOTH, { file: unreadable, sent: new Map() })))).to.deep.equal([
      'write-file',
      `load-connection ${C1}`,
    ]);
    expect(lines(diff(input(config(), config(), { file: unreadable })))).to.deep.equal(['remove-file']);
  });

  it('takes the network uid into the file', () => {
    expect(lines(diff(input(BOTH, { ...BOTH, networkUid: 'network-2' })))).to.deep.equal(['write-file']);
  });

  describe('an IKE_SA with an old configuration', () => {
    const parameters = { ...DEFAULT_PARAMETERS, ikeProposal: 'aes256-sha384-ecp384' };
    const changed = config(peer('controller-1', [DNS_EGRESS, DNS_INGRESS], { parameters }));
    const up = loaded(BOTH, ikeSa(C1, 1, { establishedSeconds: 100 }));
    const loadedSince = (milliseconds: number): HostConfig => {
      const loadedAt = new Date(Date.parse(NOW) - milliseconds).toISOString();
      return config(peer('controller-1', [DNS_EGRESS, DNS_INGRESS], { parameters, loadedAt }));
    };

    it('is remembered in the file, and renewed when the peer has had 15 s', () => {
      const steps = diff(input(BOTH, changed, { loaded: up }));
      expect(lines(steps)).to.deep.equal(['write-file', `load-connection ${C1}`]);
      expect(steps[0]).to.have.nested.property('config.connections[0].loadedAt', NOW);
      expect(diff(input(loadedSince(14_999), changed, { loaded: up }))).to.deep.equal([]);
      expect(lines(diff(input(loadedSince(15_000), changed, { loaded: up })))).to.deep.equal([
        `terminate-ike ${C1} 1`,
      ]);
    });

    it('is renewed with the SAs that it carried for clients here', () => {
      const children = [EGRESS_SA, INGRESS_SA];
      const carrying = loaded(BOTH, ikeSa(C1, 1, { establishedSeconds: 100, children }));
      expect(lines(diff(input(loadedSince(15_000), changed, { loaded: carrying })))).to.deep.equal([
        `terminate-ike ${C1} 1`,
        `initiate ${C1} udp_kube-dns_egress`,
      ]);
    });

    it('is there too when charon had lost the connection: at once where a child is new', () => {
      const lost = { ...up, connections: new Map() };
      const more = config(peer('controller-1', [DNS_EGRESS, DNS_INGRESS, METRICS_EGRESS]));
      const again = ['write-file', `load-connection ${C1}`];
      for (const file of [BOTH, undefined])
        expect(lines(diff(input(BOTH, BOTH, { loaded: lost, file })))).to.deep.equal(again);
      expect(lines(diff(input(BOTH, more, { loaded: lost })))).to.deep.equal([
        ...again,
        `terminate-ike ${C1} 1`,
      ]);
    });

    it('is not there when children come and go, or when ESP parameters change', () => {
      const esp = { ...DEFAULT_PARAMETERS, espProposal: 'aes256gcm16' };
      for (const children of [[DNS_EGRESS], [DNS_EGRESS, DNS_INGRESS, METRICS_EGRESS]])
        expect(
          diff(input(BOTH, config(peer('controller-1', children)), { loaded: up })).map(({ kind }) => kind),
        ).to.deep.equal(['write-file', 'load-connection']);
      const espChanged = config(peer('controller-1', [DNS_EGRESS, DNS_INGRESS], { parameters: esp }));
      expect(lines(diff(input(BOTH, espChanged, { loaded: up })))).to.deep.equal([
        'write-file',
        `load-connection ${C1}`,
      ]);
    });

    it('is not there without an IKE_SA: no time is written', () => {
      const [step] = diff(input(BOTH, changed));
      expect(step).to.deep.equal({ kind: 'write-file', config: changed });
    });

    it('is found after a crash by the time in the file, and the one that replaced it is not', () => {
      const stamped = config(
        peer('controller-1', [DNS_EGRESS, DNS_INGRESS], { parameters, loadedAt: '2026-11-24T11:59:00.000Z' }),
      );
      const old = loaded(stamped, ikeSa(C1, 1, { establishedSeconds: 62 }));
      const young = loaded(stamped, ikeSa(C1, 2, { establishedSeconds: 60 }));
      expect(lines(diff(input(stamped, changed, { loaded: old })))).to.deep.equal([`terminate-ike ${C1} 1`]);
      expect(diff(input(stamped, changed, { loaded: old, asked: new Set([1]) }))).to.deep.equal([]);
      expect(diff(input(stamped, changed, { loaded: young }))).to.deep.equal([]);
    });

    it('is renewed one in each pass, at once only where a child is new or the age will not tell later', () => {
      const names = ['a', 'b', 'c', 'd'];
      const before = config(...names.map((name) => peer(name, [DNS_EGRESS])));
      const desired = config(
        ...names.map((name) =>
          peer(name, name === 'c' ? [DNS_EGRESS, DNS_INGRESS] : [DNS_EGRESS], { parameters }),
        ),
      );
      const ikeSas = names.map((name, index) =>
        ikeSa(`k8s-node-${name}`, index, { establishedSeconds: name === 'd' ? 1 : 100 }),
      );
      const steps = lines(diff(input(before, desired, { loaded: loaded(before, ...ikeSas) })));
      expect(steps.filter((line) => line.startsWith('terminate'))).to.deep.equal([
        'terminate-ike k8s-node-c 2',
        'terminate-ike k8s-node-d 3',
      ]);
      const loadedAt = '2026-11-24T11:59:45.000Z';
      const stamped = config(...names.map((name) => peer(name, [DNS_EGRESS], { parameters, loadedAt })));
      const later = diff(input(stamped, stamped, { loaded: loaded(stamped, ...ikeSas.slice(0, 2)) }));
      expect(lines(later)).to.deep.equal(['terminate-ike k8s-node-a 0']);
    });
  });

  describe('initiate', () => {
    const wanted = (...names: string[]): WantedChild[] =>
      names.map((name) => ({
        connection: C1 as ConnectionName,
        child: child(name, '10.0.0.0/8[tcp]', '10.0.0.0/8[tcp]').name,
      }));

    it('comes before the trap for what charon has, after the load for what is new', () => {
      const none = config(peer('controller-1', [{ ...DNS_EGRESS, startAction: 'none' }]));
      const desired = config(peer('controller-1', [DNS_EGRESS, METRICS_EGRESS]));
      const steps = diff(
        input(none, desired, { wanted: wanted('tcp_kube-dns_egress', 'udp_kube-dns_egress') }),
      );
      expect(lines(steps)).to.deep.equal([
        `initiate-ike ${C1}`,
        `initiate ${C1} udp_kube-dns_egress`,
        'write-file',
        `load-connection ${C1}`,
        `initiate ${C1} tcp_kube-dns_egress`,
      ]);
    });

    it('makes no IKE_SA of its own where there is one, or where a trap holds the flow anyway', () => {
      const none = config(peer('controller-1', [{ ...DNS_EGRESS, startAction: 'none' }]));
      const asked = { wanted: wanted('udp_kube-dns_egress') };
      const standing = { ...asked, loaded: loaded(none, ikeSa(C1, 1, { children: [] })) };
      expect(lines(diff(input(none, BOTH, standing)))).not.to.include(`initiate-ike ${C1}`);
      const trapped = config(peer('controller-1', [DNS_EGRESS]));
      expect(lines(diff(input(trapped, trapped, asked)))).to.deep.equal([
        `initiate ${C1} udp_kube-dns_egress`,
      ]);
    });

    it('is left out for what has an SA, what is not desired and what is passed', () => {
      const up = loaded(BOTH, ikeSa(C1, 1, { children: [EGRESS_SA] }));
      expect(
        diff(input(BOTH, BOTH, { loaded: up, wanted: wanted('udp_kube-dns_egress', 'udp_gone_egress') })),
      ).to.deep.equal([]);
    });
  });
});
