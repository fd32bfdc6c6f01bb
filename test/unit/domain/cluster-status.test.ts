import { expect } from 'chai';
import { clusterStatus, unknownName } from '../../../app/domain/cluster-status.ts';
import type { ClusterView, LeaderView } from '../../../app/domain/cluster-view.ts';
import type { HostReport } from '../../../app/domain/facts.ts';
import { clusterView, NOW, policyView, reportView } from '../../support/view-builders.ts';

const HELD: LeaderView = { kind: 'lease', holder: 'manager-1', renewedAt: NOW, durationSeconds: 15 };

/** `policies`, hosts that do not have it, first words of findings: what a person sees first. */
function summary(view: ClusterView): object {
  const { verdict, policies, hosts } = clusterStatus(view);
  return {
    verdict,
    policies: policies.map(
      ({ name, state, hostsInForce, hosts: all }) => `${name} ${state} ${hostsInForce}/${all}`,
    ),
    troubled: hosts.filter((host) => host.verdict !== 'well').map(({ name }): string => name),
  };
}

const problem = (reason: string, subject: string, message = 'x'): HostReport['problems'][number] => ({
  reason,
  subject,
  message,
});

describe('clusterStatus', () => {
  const allWell = { verdict: 'well', policies: ['dns in force 3/3'], troubled: [] };

  it('is well when every host has reported every shard as it stands', () => {
    expect(summary(clusterView())).to.deep.equal(allWell);
  });

  for (const { name, view, expected } of [
    {
      name: 'a host that reported an earlier generation',
      view: clusterView({ reports: [reportView('worker-0', { generation: 1 })] }),
      expected: { verdict: 'wrong', policies: ['dns Pending 2/3'], troubled: ['worker-0'] },
    },
    {
      name: 'a shard of the same name that was made anew',
      view: clusterView({ reports: [reportView('worker-0', { uid: 'another' })] }),
      expected: { verdict: 'wrong', policies: ['dns Pending 2/3'], troubled: ['worker-0'] },
    },
    {
      name: 'a host that never reported',
      view: clusterView({ reports: [{ host: reportView('worker-0').host }] }),
      expected: { verdict: 'wrong', policies: ['dns Pending 2/3'], troubled: ['worker-0'] },
    },
    {
      name: 'a port that is not yet enforced',
      view: clusterView({ stages: 'udp/53=protect tcp/53' }),
      expected: { verdict: 'wrong', policies: ['dns Pending 3/3'], troubled: [] },
    },
    {
      name: 'a condition that is False, whatever hosts report',
      view: clusterView({ policies: [policyView('dns', { programmed: 'PeerNotReached' })] }),
      expected: { verdict: 'wrong', policies: ['dns PeerNotReached 3/3'], troubled: [] },
    },
    {
      name: 'a policy that the manager has not looked at since it was changed',
      view: clusterView({ policies: [policyView('dns', { observedGeneration: 1, generation: 2 })] }),
      expected: { verdict: 'wrong', policies: ['dns Pending 3/3'], troubled: [] },
    },
    {
      name: 'a host with a problem of its own',
      view: clusterView({
        reports: [reportView('worker-0', { problems: [problem('GuardMissing', 'guard')] })],
      }),
      expected: { verdict: 'wrong', policies: ['dns in force 3/3'], troubled: ['worker-0'] },
    },
    {
      name: 'a guard that is not there',
      view: clusterView({ reports: [reportView('worker-0', { guard: 'missing' })] }),
      expected: { verdict: 'wrong', policies: ['dns in force 3/3'], troubled: ['worker-0'] },
    },
    {
      name: 'a peer that is not reached',
      view: clusterView({ reports: [reportView('worker-0', { peersNotReached: ['controller-1'] })] }),
      expected: { verdict: 'wrong', policies: ['dns in force 3/3'], troubled: ['worker-0'] },
    },
    {
      name: 'a Node that is not Ready',
      view: clusterView({ notReady: ['worker-0'] }),
      expected: { verdict: 'wrong', policies: ['dns in force 3/3'], troubled: ['worker-0'] },
    },
    {
      name: 'an agent whose pod is not ready',
      view: clusterView({ agents: [{ pod: 'a', host: 'worker-0', ready: false, restarts: 7 }] }),
      expected: {
        verdict: 'wrong',
        policies: ['dns in force 3/3'],
        troubled: ['controller-0', 'controller-1', 'worker-0'],
      },
    },
    {
      name: 'no leader: what is in force stays, but nothing is certain',
      view: clusterView({ leader: { kind: 'absent' } }),
      expected: { verdict: 'unknown', policies: ['dns NoManager 3/3'], troubled: [] },
    },
    {
      name: 'an object that cannot be read',
      view: clusterView({ unreadable: ['IPsecHost x cannot be read: no spec.'] }),
      expected: { ...allWell, verdict: 'unknown' },
    },
    {
      name: 'no network while there are policies',
      view: clusterView({ network: undefined }),
      expected: { ...allWell, verdict: 'wrong' },
    },
    {
      name: 'what may not be read takes nothing from the verdict',
      view: clusterView({
        leader: { kind: 'hidden' },
        nodes: undefined,
        agents: undefined,
        hidden: ['Nodes.'],
      }),
      expected: allWell,
    },
    {
      name: 'no policy at all',
      view: clusterView({ policies: [] }),
      expected: { verdict: 'well', policies: [], troubled: [] },
    },
  ])
    it(name, () => expect(summary(view)).to.deep.equal(expected));

  it('puts the worst first, then goes by name', () => {
    const view = clusterView({
      policies: ['b', 'a', 'c', 'd'].map((name) =>
        policyView(name, name === 'c' || name === 'b' ? { programmed: 'Pending' } : {}),
      ),
      reports: [reportView('worker-0', { problems: [problem('LoadFailed', 'k8s-node-x')] })],
    });
    const { policies, hosts } = clusterStatus(view);
    expect(policies.map(({ name }) => name)).to.deep.equal(['b', 'c', 'a', 'd']);
    expect(hosts.map(({ name }): string => name)).to.deep.equal(['worker-0', 'controller-0', 'controller-1']);
  });

  it('says why a host lacks a policy: by its Node, its silence, its problem, or the age of its report', () => {
    const why = (view: ClusterView): string | undefined => clusterStatus(view).policies[0]?.missing[0]?.why;
    const old = reportView('worker-0', { generation: 1 });
    const lacks = 'lacks kube-system.kube-dns.0 as it stands now: ';
    expect(why(clusterView({ reports: [old], notReady: ['worker-0'] }))).to.contain(
      `${lacks}its Node is not Ready`,
    );
    expect(why(clusterView({ reports: [{ host: old.host }] }))).to.contain(`${lacks}it has never reported`);
    expect(
      why(
        clusterView({
          reports: [
            reportView('worker-0', {
              generation: 1,
              problems: [problem('CharonUnreachable', 'charon', 'no socket')],
            }),
          ],
        }),
      ),
    ).to.equal(`${lacks}it reports CharonUnreachable of charon.`);
    expect(why(clusterView({ reports: [old] }))).to.contain(`${lacks}it has reported an earlier version`);
    expect(clusterStatus(clusterView({ reports: [old] })).policies[0]?.missing[0]?.reportedAt).to.equal(NOW);
  });

  it('narrowed to a host, speaks of that host alone', () => {
    const view = clusterView({
      policies: [policyView('dns', { programmed: 'Pending' })],
      reports: [reportView('worker-0', { generation: 1 })],
    });
    const { verdict, policies, hosts } = clusterStatus(view, { host: 'controller-0' });
    expect([verdict, policies[0]?.state, policies[0]?.hosts]).to.deep.equal(['well', 'in force', 1]);
    expect(hosts.map(({ name }): string => name)).to.deep.equal(['controller-0']);
    expect(clusterStatus(view, { host: 'worker-0' }).verdict).to.equal('wrong');
  });

  it('narrowed to a policy, names the hosts in its way alone', () => {
    const view = clusterView({ reports: [reportView('worker-0', { generation: 1 })] });
    expect(clusterStatus(view, { policy: 'dns' }).hosts.map(({ name }): string => name)).to.deep.equal([
      'worker-0',
    ]);
  });

  it('knows which names there are', () => {
    expect(unknownName(clusterView(), { policy: 'dns', host: 'worker-0' })).to.equal(undefined);
    expect(unknownName(clusterView(), { policy: 'web' })).to.equal(
      'there is no IPsecPolicy "web"; there is dns',
    );
    expect(unknownName(clusterView({ policies: [] }), { policy: 'web' })).to.contain('there is none at all');
  });

  for (const { name, lease, state } of [
    { name: 'renewed now', lease: HELD, state: 'leads' },
    {
      name: 'renewed by a clock that is ahead',
      lease: { ...HELD, renewedAt: '2026-01-01T00:05:00Z' },
      state: 'leads',
    },
    {
      name: 'not renewed for longer than twice its time',
      lease: { ...HELD, renewedAt: '2025-12-31T23:59:00Z' },
      state: 'none',
    },
    { name: 'given back', lease: { ...HELD, holder: '' }, state: 'none' },
    { name: 'hidden', lease: { kind: 'hidden' } as const, state: 'unknown' },
  ])
    it(`a Lease that is ${name}: ${state}`, () =>
      expect(clusterStatus(clusterView({ leader: lease })).leader.state).to.equal(state));
});
