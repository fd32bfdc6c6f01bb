import { expect } from 'chai';
import { DEFAULT_PARAMETERS } from '../../../app/domain/facts.ts';
import { eventRecorder } from '../../../app/kubernetes/events.ts';
import type { HostReport } from '../../../app/domain/facts.ts';
import { LeadershipLostError } from '../../../app/kubernetes/lease.ts';
import { EVENTS, POLICIES, REPORTS, SERVICES, SHARDS } from '../../../app/kubernetes/resources.ts';
import { managerPass } from '../../../app/manager/manager-pass.ts';
import { worldSource, type WorldSource } from '../../../app/manager/world-source.ts';
import { capturedLog, type CapturedLog } from '../../support/captured-log.ts';
import { managerCluster, type ManagerCluster } from '../../support/manager-cluster.ts';
import { until } from '../../support/until.ts';

const WAIT_MS = 30_000;

interface ConditionText {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

interface Manager {
  readonly cluster: ManagerCluster;
  readonly log: CapturedLog;
  isLeader: boolean;
  /** One pass once the caches are in step. */
  pass(): Promise<number | undefined>;
}

function manager(): Manager {
  const cluster = managerCluster();
  const { api, clock, source } = cluster;
  const log = capturedLog();
  const recorder = eventRecorder({ client: api.client, clock, component: 'manager', instance: 'test' });
  const run = managerPass({
    client: api.client,
    source,
    clock,
    log: log.log,
    events: recorder,
    settings: { parameters: DEFAULT_PARAMETERS, guardMode: 'enforce', stageWaitMs: WAIT_MS },
    check: () => {
      if (!made.isLeader) throw new LeadershipLostError();
    },
  });
  const made: Manager = {
    cluster,
    log,
    isLeader: true,
    pass: async () => {
      await cluster.caughtUp();
      return run();
    },
  };
  return made;
}

/** Another manager of the same cluster, whose watches may fail. */
function successor(
  { api, clock }: ManagerCluster,
  { log }: CapturedLog,
): Pick<Manager, 'pass'> & {
  readonly source: WorldSource;
} {
  const nothing = (): void => undefined;
  const source = worldSource(api.client, {
    clock,
    onChange: nothing,
    onReport: nothing,
    onFailure: nothing,
    onBug: (error) => {
      throw error;
    },
  });
  const pass = managerPass({
    client: api.client,
    source,
    clock,
    log,
    events: { say: async () => Promise.resolve() },
    settings: { parameters: DEFAULT_PARAMETERS, guardMode: 'enforce', stageWaitMs: WAIT_MS },
    check: nothing,
  });
  return { source, pass };
}

interface Said {
  readonly type: string;
  readonly reason: string;
  readonly regarding: { readonly kind: string; readonly name: string };
}

describe('managerPass', () => {
  let made: Manager;
  let cluster: ManagerCluster;

  const conditions = (name = 'sample'): Record<string, string> => {
    const status = cluster.api.get(POLICIES, name)?.status as
      { conditions: { type: string; status: string }[] } | undefined;
    return Object.fromEntries((status?.conditions ?? []).map((entry) => [entry.type, entry.status]));
  };
  const lastStatus = (): { readonly figures: object; readonly programmed: ConditionText } => {
    const status = cluster.api.get(POLICIES, 'sample')?.status as {
      readonly conditions: ConditionText[];
    };
    const { conditions: all, ...figures } = status;
    return { figures, programmed: all.find(({ type }) => type === 'Programmed')! };
  };
  /** All hosts answer and passes run until nothing is written. */
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 10; round++) {
      await made.pass();
      cluster.answer();
      await made.pass();
      if (cluster.written().length === 0) return;
    }
    throw new Error('it does not settle');
  };

  beforeEach(() => {
    made = manager();
    cluster = made.cluster;
  });

  afterEach(async () => cluster.stop());

  it('does nothing before every watch has delivered its first list', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    const { source, pass: early } = successor(cluster, made.log);
    expect(await early()).to.equal(undefined);
    source.policies.start();
    source.shards.start();
    await until('some lists are there', () => source.policies.synced && source.shards.synced);
    expect(await early()).to.equal(undefined);
    expect(cluster.written()).to.deep.equal([]);
    await source.stop();
  });

  it('says which kinds it waits for, and keeps the figures that were written before', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    await settle();
    const { figures, programmed } = lastStatus();
    expect(programmed.status).to.equal('True');

    const later = successor(cluster, made.log);
    const end = cluster.api.fail('list ippools', { status: 404, reason: 'NotFound' });
    later.source.start();
    await until('it has failed', () => later.source.unread().length === 1 && later.source.policies.synced);
    await later.pass();
    await later.pass();
    expect(lastStatus().figures).to.deep.equal(figures);
    expect(lastStatus().programmed).to.include({ status: 'Unknown', reason: 'KindMissing' });
    expect(lastStatus().programmed.message).to.contain(
      'does not serve ippools.crd.projectcalico.org: install Calico',
    );
    expect(cluster.written()).to.deep.equal(['patch ipsecpolicies/sample']);
    const said = (): string[] => made.log.lines.map(({ msg }) => String(msg));
    expect(said().filter((msg) => msg.startsWith('cannot read a kind'))).to.have.length(1);

    end();
    await later.source.stop();
  });

  it('leaves conditions alone while the API server only stumbles', async () => {
    cluster.policy('sample');
    const later = successor(cluster, made.log);
    cluster.api.fail('list ippools', { status: 500, reason: 'InternalError' });
    later.source.start();
    await until('it has failed', () => later.source.unread().length === 1 && later.source.policies.synced);
    await later.pass();
    expect(cluster.written()).to.deep.equal([]);
    await later.source.stop();
  });

  it('writes each fact and the status of the policy once', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    await made.pass();
    expect(cluster.written()).to.deep.equal([
      'create ipsechostreports/controller-0',
      'create ipsechostreports/controller-1',
      'create ipsechostreports/worker-0',
      'create ipsechosts/controller-0',
      'create ipsechosts/controller-1',
      'create ipsechosts/worker-0',
      'create ipsecnetworks/cluster',
      'create ipsecservices/kube-system.kube-dns.0',
      'patch ipsecpolicies/sample',
    ]);
    expect(cluster.stages()).to.deep.equal(['tcp/53 prepare', 'udp/53 prepare']);
  });

  it('takes a port to enforce with the answers of the hosts, then is idle without a write', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    await settle();
    expect(cluster.stages()).to.deep.equal(['tcp/53 enforce', 'udp/53 enforce']);
    expect(conditions()).to.deep.equal({ Accepted: 'True', ResolvedRefs: 'True', Programmed: 'True' });
    for (let pass = 0; pass < 3; pass++) {
      await cluster.clock.advance(60_000);
      expect(await made.pass()).to.equal(undefined);
    }
    expect(cluster.written()).to.deep.equal([]);
  });

  it('waits for a host that does not answer as long as it may, then goes on without it', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    await made.pass();
    for (let round = 0; round < 5; round++) {
      cluster.answer('controller-0', 'controller-1');
      await made.pass();
    }
    const before = cluster.stages();
    expect(before).to.deep.equal(['tcp/53 prepare', 'udp/53 prepare']);
    const wakeMs = (await made.pass()) ?? Infinity;
    expect(wakeMs).to.be.within(1, WAIT_MS);
    await cluster.clock.advance(WAIT_MS - 1);
    expect(await made.pass()).to.equal(1);
    expect(cluster.stages()).to.deep.equal(before);
    await cluster.clock.advance(1);
    expect(await made.pass()).to.equal(0);
    for (let round = 0; round < 5; round++) {
      await made.pass();
      cluster.answer('controller-0', 'controller-1');
    }
    await made.pass();
    expect(cluster.stages()).to.deep.equal(['tcp/53 enforce', 'udp/53 enforce']);
    expect(conditions()['Programmed']).to.equal('False');
  });

  it('writes the same facts whatever the order in which objects are listed', async () => {
    const specs = async (reverse: boolean): Promise<unknown> => {
      made = manager();
      cluster = made.cluster;
      const steps = [
        () => cluster.policy('one', [{ serviceports: 'udp/53' }]),
        () => cluster.policy('two', [{ serviceports: 'tcp/53' }, { serviceports: 'tcp/9153' }]),
        () => cluster.kubeDns(),
      ];
      for (const step of reverse ? steps.toReversed() : steps) step();
      await settle();
      const all = cluster.api.all(SHARDS).map(({ spec }) => spec);
      await cluster.stop();
      return all;
    };
    const forwards = await specs(false);
    expect(await specs(true)).to.deep.equal(forwards);
    expect(forwards).to.have.length(1);
  });

  it('writes nothing once it leads no more', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    made.isLeader = false;
    expect(await made.pass().catch((error: unknown) => error)).to.be.instanceOf(LeadershipLostError);
    expect(cluster.written()).to.deep.equal([]);
  });

  it('writes no status either once it leads no more', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    await settle();
    const { metadata, spec } = cluster.api.get(POLICIES, 'sample')!;
    cluster.api.put(POLICIES, { metadata, spec, status: { conditions: [] } });
    made.isLeader = false;
    expect(await made.pass().catch((error: unknown) => error)).to.be.instanceOf(LeadershipLostError);
    expect(cluster.written()).to.deep.equal([]);
    made.isLeader = true;
    await made.pass();
    expect(cluster.written()).to.deep.equal(['patch ipsecpolicies/sample']);
  });

  it('does not let one refused status hold up the others', async () => {
    for (const name of ['a', 'b', 'c']) cluster.policy(name);
    cluster.kubeDns();
    cluster.api.fail('patch ipsecpolicies/b', { status: 409, reason: 'Conflict' });
    const error = await made.pass().catch((thrown: unknown) => thrown);
    expect(error).to.deep.include({ status: 409, retry: 'soon' });
    expect(['a', 'b', 'c'].map((name) => Object.keys(conditions(name)).length > 0)).to.deep.equal([
      true,
      false,
      true,
    ]);
  });

  it('does not let events that are refused hold up facts and statuses', async () => {
    cluster.policy('sample', [{ servicename: 'not-there' }]);
    const heal = cluster.api.fail('create events/', { status: 403, reason: 'Forbidden' });
    expect(await made.pass().catch((thrown: unknown) => thrown)).to.deep.include({ status: 403 });
    expect(conditions()['ResolvedRefs']).to.equal('False');
    heal();
    await made.pass();
    expect(cluster.api.all(EVENTS)).to.have.length(2);
  });

  it('keeps its wait when the API refuses a write for good, and says so', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    cluster.api.fail('patch ipsecpolicies/', { status: 422, reason: 'Invalid' });
    await made.pass();
    const wakeMs = await made.pass();
    expect(wakeMs).to.be.within(1, WAIT_MS);
    expect(made.log.lines.map(({ msg }) => msg)).to.include('the API server refuses a write');
  });

  describe('events', () => {
    /** `Warning NotProgrammed IPsecPolicy/sample`, of those made since the last call, sorted. */
    let seen = new Set<string>();
    const said = (): string[] => {
      const fresh = cluster.api.all(EVENTS).filter(({ metadata }) => !seen.has(metadata.uid));
      for (const { metadata } of fresh) seen.add(metadata.uid);
      return fresh
        .map((event) => event as unknown as Said)
        .map(({ type, reason, regarding: { kind, name } }) => `${type} ${reason} ${kind}/${name}`)
        .sort();
    };
    const worker = (change: Partial<HostReport>): void => {
      const status = cluster.api.get(REPORTS, 'worker-0')!.status as HostReport;
      cluster.api.put(REPORTS, { metadata: { name: 'worker-0' }, status: { ...status, ...change } });
    };
    beforeEach(async () => {
      seen = new Set();
      cluster.policy('sample');
      cluster.kubeDns();
      await settle();
    });

    it('say that a policy is in force, and nothing of the way there', () => {
      expect(said()).to.deep.equal(['Normal Programmed IPsecPolicy/sample']);
    });

    it('say what is wrong on a host and what that means for a policy, once, and that it is over', async () => {
      said();
      const problem = { reason: 'CharonUnreachable', subject: 'charon', message: 'nobody listens' };
      worker({ problems: [problem] });
      for (let pass = 0; pass < 3; pass++) await made.pass();
      expect(said()).to.deep.equal([
        'Warning CharonUnreachable IPsecHostReport/worker-0',
        'Warning NotProgrammed IPsecPolicy/sample',
      ]);
      await cluster.clock.advance(60_000);
      worker({ problems: [] });
      for (let pass = 0; pass < 3; pass++) await made.pass();
      expect(said()).to.deep.equal([
        'Normal Programmed IPsecPolicy/sample',
        'Normal Recovered IPsecHostReport/worker-0',
      ]);
    });

    it('say what is missing of a service, by its reason and by what it means', async () => {
      said();
      cluster.policy('other', [{ servicename: 'not-there' }]);
      await made.pass();
      expect(said()).to.deep.equal([
        'Warning NotProgrammed IPsecPolicy/other',
        'Warning ServiceNotFound IPsecPolicy/other',
      ]);
    });

    it('say that a policy is on its way when that takes long', async () => {
      said();
      cluster.policy('other', [{ serviceports: 'tcp/9153' }]);
      const againMs = await made.pass();
      expect(said()).to.deep.equal([]);
      expect(againMs).to.be.within(1, 10_000);
      await cluster.clock.advance(10_000);
      await made.pass();
      expect(said()).to.deep.equal([
        'Warning NotProgrammed IPsecPolicy/other',
        'Warning NotProgrammed IPsecPolicy/sample',
      ]);
    });

    it('say of a guard that it was put back and that it is missing', async () => {
      said();
      const guard = { mode: 'enforce', state: 'enforce', rows: 1, holding: 1 } as const;
      worker({ guard: { ...guard, repairs: 1, lastRepair: new Date(cluster.clock.now()).toISOString() } });
      await made.pass();
      expect(said()).to.deep.equal(['Warning GuardRepaired IPsecHostReport/worker-0']);
      worker({ guard: { ...guard, state: 'missing', repairs: 0, lastRepair: '' } });
      await made.pass();
      expect(said()).to.deep.equal([
        'Warning GuardMissing IPsecHostReport/worker-0',
        'Warning NotProgrammed IPsecPolicy/sample',
      ]);
    });

    it('say of a peer that is not reached, and of a host that is silent', async () => {
      said();
      worker({ peersNotReached: ['controller-0' as HostReport['host']] });
      cluster.policy('other', [{ serviceports: 'tcp/9153' }]);
      await made.pass();
      expect(said()).to.include('Warning PeerNotReached IPsecHostReport/worker-0');
      await made.pass();
      await cluster.clock.advance(WAIT_MS);
      await made.pass();
      await made.pass();
      expect(said()).to.include('Warning AgentSilent IPsecHostReport/worker-0');
    });

    it('forget what is gone', async () => {
      said();
      cluster.policy('other', [{ servicename: 'not-there' }]);
      await made.pass();
      said();
      cluster.api.remove(POLICIES, 'other');
      await made.pass();
      cluster.policy('other', [{ servicename: 'not-there' }]);
      await made.pass();
      expect(said()).to.have.length(2);
    });
  });

  it('logs an object that it cannot read once, and goes on', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    cluster.api.put(SERVICES, { metadata: { namespace: 'ns', name: 'odd' }, spec: { ports: 'none' } });
    await settle();
    const said = made.log.lines.filter(({ msg }) => msg === 'cannot read an object');
    expect(said.map(({ kind, name }) => [kind, name])).to.deep.equal([['Service', 'ns/odd']]);
    expect(conditions()['Programmed']).to.equal('True');
  });

  it('goes on although a report cannot be read', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    await made.pass();
    cluster.api.put(REPORTS, { metadata: { name: 'worker-0' }, status: { of: 'another version' } });
    await made.pass();
    cluster.api.put(SERVICES, { metadata: { namespace: 'ns', name: 'new' }, spec: { ports: [] } });
    cluster.policy('another', [{ servicens: 'ns', servicename: 'new', serviceports: 'tcp/1' }]);
    await made.pass();
    expect(Object.keys(conditions('another'))).to.include('Accepted');
  });

  it('takes everything back when the policy goes: release, gone, deleted', async () => {
    cluster.policy('sample');
    cluster.kubeDns();
    await settle();
    cluster.api.remove(POLICIES, 'sample');
    const seen: string[] = [];
    for (let round = 0; round < 6; round++) {
      await made.pass();
      seen.push(...cluster.stages().map((text) => text.replace(/.* /, '')));
      cluster.answer();
    }
    expect([...new Set(seen)]).to.deep.equal(['release', 'gone']);
    expect(cluster.api.all(SHARDS)).to.deep.equal([]);
  });
});
