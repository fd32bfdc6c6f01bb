import { expect } from 'chai';
import { Registry } from 'prom-client';
import type { HostName } from '../../../app/domain/facts.ts';
import { policyStatus } from '../../../app/domain/policy-status.ts';
import type { StatusInput } from '../../../app/domain/programmed.ts';
import { resolve } from '../../../app/domain/resolve.ts';
import { serviceStandings } from '../../../app/domain/service-standing.ts';
import { managerMetrics, type ManagerMetrics } from '../../../app/manager/manager-metrics.ts';
import type { PolicyStanding } from '../../../app/manager/report-problems.ts';
import { RollOutCluster } from '../../support/roll-out-cluster.ts';
import { virtualClock, type VirtualClock } from '../../support/virtual-clock.ts';
import { oneServiceWorld, WORKER_0 } from '../../support/world-builders.ts';

describe('managerMetrics', () => {
  let registry: Registry;
  let metrics: ManagerMetrics;
  let clock: VirtualClock;
  let cluster: RollOutCluster;

  const shown = async (): Promise<string[]> =>
    (await registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('ipsec_policy') && !line.includes('_bucket'));
  const show = (overdue: readonly HostName[] = []): void => {
    const resolved = resolve(cluster.world);
    const { shards, reports } = cluster;
    const standingOf = serviceStandings(resolved, shards, reports);
    const input: StatusInput = {
      resolved,
      reports,
      standingOf,
      guardMode: 'enforce',
      overdue: new Set(overdue),
    };
    const standings = cluster.world.policies.map((policy): PolicyStanding => {
      const { name, uid, generation } = policy;
      const entry = { name, uid, resourceVersion: '1', generation, value: { policy, status: undefined } };
      return { entry, wanted: policyStatus(policy, input) };
    });
    metrics.onStandings(input, standings);
  };

  beforeEach(() => {
    registry = new Registry();
    clock = virtualClock();
    metrics = managerMetrics(registry, clock);
    cluster = new RollOutCluster(oneServiceWorld(['172.16.43.5']));
  });

  it('shows nothing but that it does not lead, until it leads', async () => {
    expect(await shown()).to.deep.equal([
      'ipsec_policy_leader 0',
      'ipsec_policy_programmed_seconds_sum 0',
      'ipsec_policy_programmed_seconds_count 0',
    ]);
  });

  it('shows how policies and hosts stand, and how long it took', async () => {
    metrics.onLeading(true);
    show([WORKER_0]);
    expect(await shown()).to.include.members([
      'ipsec_policy_leader 1',
      'ipsec_policy_policies_not_programmed 1',
      'ipsec_policy_programmed{policy="p"} 0',
      'ipsec_policy_endpoints{policy="p"} 1',
      'ipsec_policy_hosts 3',
      'ipsec_policy_hosts_silent 1',
    ]);
    cluster.settle();
    await clock.advance(4000);
    show();
    show();
    expect(await shown()).to.include.members([
      'ipsec_policy_policies_not_programmed 0',
      'ipsec_policy_programmed{policy="p"} 1',
      'ipsec_policy_hosts_silent 0',
      'ipsec_policy_programmed_seconds_sum 4',
      'ipsec_policy_programmed_seconds_count 1',
    ]);
  });

  it('forgets a policy that is gone, and all of it when it leads no more', async () => {
    metrics.onLeading(true);
    show();
    cluster.world = { ...cluster.world, policies: [] };
    show();
    expect((await shown()).filter((line) => line.includes('policy='))).to.deep.equal([]);
    metrics.onLeading(false);
    expect(await shown()).to.have.length(3);
  });
});
