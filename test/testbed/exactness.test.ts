// Is what stands on every host exactly what the cluster says, no more and no less? What one flow more or less touches, what is
// there after a hundred changes that nobody waited for, and what is left when all policies are gone.
import { expect } from 'chai';
import { until } from '../support/until.ts';
import { startFlow, type RunningFlow } from './lab/flow.ts';
import { guardView, ourChildSas, ourStates, podPolicies, policyTexts } from './lab/kernel-view.ts';
import type { PodKey } from './lab/places.ts';
import { HOST_NAMES, type LabHost } from './lab/topology.ts';
import { watchXfrm } from './lab/xfrm-monitor.ts';
import { flowTo, openGround, policyRow, type Ground } from './matrix/ground.ts';
import { pause } from './matrix/row.ts';
import {
  expectedConnections,
  expectedGuard,
  expectedPolicies,
  type Endpoint,
  type Expected,
} from './matrix/expected.ts';
import { startWorld } from './matrix/random-world.ts';

const FILE = '/etc/swanctl/conf.d/k8s-nodes.conf';
const CHANGES = 100;
/** Printed; the same one gives the same changes. */
const SEED = Number(process.env['EXACTNESS_SEED'] ?? 20_240_611);

// Some minutes: not in a quick run.
if (process.env['MATRIX_ROWS'] !== 'quick') describe('what stands on the hosts', suite);

function suite(this: Mocha.Suite): void {
  this.timeout(600_000);
  let ground: Ground;

  before(async function () {
    this.timeout(240_000);
    ground = await openGround();
    await ground.op.applyPolicy('base', [policyRow('first', 'udp/6001')]);
    await ground.op.untilProgrammed('base');
  });
  after(async () => ground.close());

  it('one flow more and one less touch one child and one row of the guard on each host concerned', async () => {
    const { lab, op } = ground;
    const added = '172.16.166.171';
    let pod: PodKey | undefined;
    const more = await touched(ground, async () => {
      pod = await lab.addPod({
        host: 'controller-1',
        name: 'more',
        addresses: [added],
        labels: { app: 'first' },
      });
      await settled(ground, ['base']);
    });
    const less = await touched(ground, async () => {
      await lab.removePod(pod!);
      await settled(ground, ['base']);
    });
    const endpoint: Endpoint = { service: 'first', host: 'controller-1', address: added };
    const policies = expectedPolicies({ endpoints: [endpoint], ports: { first: ['udp/6001'] } });
    const element = `${added} . 17 . 6001`;
    for (const host of HOST_NAMES) {
      const elements = [`endpoints4 ${element}`, `holding4 ${element}`];
      expect(more[host], `more, on ${host}`).to.deep.equal({ policies: policies[host], elements });
      expect(less[host], `less, on ${host}`).to.deep.equal({ policies: policies[host], elements });
    }
    await op.untilProgrammed('base');
  });

  it(`after ${CHANGES} changes that nobody waited for: exactly what the cluster says (seed ${SEED})`, async () => {
    const { lab, op } = ground;
    const flows: RunningFlow[] = [];
    for (const from of ['worker-0', 'controller-1'] as const)
      flows.push(await startFlow(lab, { ...flowTo('first', from), rate: 20 }));
    const world = startWorld(ground, SEED);
    for (let change = 0; change < CHANGES; change += 1) await world.change();
    await settled(ground, world.policies());
    // SAs of what is not wanted any more are ended a moment after nobody wants it.
    await until('every CHILD_SA belongs to a child', () => areSasOfChildren(ground), 60_000);
    await Promise.all(flows.map((flow) => flow.stop()));
    await expectExactly(ground, world.expected());
    expect(world.policies().length, 'policies at the end').to.be.at.least(1);
    for (const name of world.policies())
      expect((await op.condition(name, 'Programmed'))?.status).to.equal('True');
  });

  it('after the last policy: nothing', async () => {
    const { lab, op } = ground;
    for (const { metadata } of await lab.api.list('/apis/starlingx.io/v1/ipsecpolicies'))
      await op.deletePolicy(metadata.name);
    await op.untilNothingLeft();
    await until('no guard is left', async () => (await tablesOf(ground)).length === 0, 30_000);
    await expectExactly(ground, { endpoints: [], ports: {} });
    for (const host of HOST_NAMES) expect(await lab.run(host, ['ls', '/etc/swanctl/conf.d'])).to.equal('');
  });
}

/** Everything that tools show on every host. */
async function expectExactly(ground: Ground, expected: Expected): Promise<void> {
  const { lab, op } = ground;
  const policies = expectedPolicies(expected);
  const connections = expectedConnections(expected);
  const guard = expectedGuard(expected, await clusterIpsOf(ground));
  for (const host of HOST_NAMES) {
    expect(await podPolicies(lab, host), `policies of ${host}`).to.deep.equal(policies[host]);
    const children = await op.childrenOn(host);
    const file = await fileOf(ground, host);
    expect(childNamesIn(file), `children in the file of ${host}`).to.deep.equal(children);
    expect(selectorsIn(file), `selectors in the file of ${host}`).to.deep.equal(connections[host]);
    expect(children, `children of ${host}`).to.have.length(connections[host].length);
    const sas = await ourChildSas(lab, host);
    expect(await ourStates(lab, host), `SAs in the kernel of ${host}`).to.deep.equal(sas.spis);
    for (const name of sas.names) expect(children, `children with an SA on ${host}`).to.include(name);
    const { sets, tables } = await guardView(lab, host);
    expect(tables, `guards of ${host}`).to.have.length(guard === undefined ? 0 : 1);
    if (guard !== undefined) expect(sets, `guard of ${host}`).to.deep.equal(guard);
  }
}

async function clusterIpsOf({ lab }: Ground): Promise<Record<string, readonly string[]>> {
  const services = await lab.api.list('/api/v1/namespaces/default/services');
  return Object.fromEntries(
    services.map(({ metadata, spec }) => [
      metadata.name,
      (spec as { clusterIPs?: string[] }).clusterIPs ?? [],
    ]),
  );
}

async function fileOf({ lab }: Ground, host: LabHost): Promise<string> {
  return (await lab.exec(host, ['cat', FILE])).stdout;
}

/** `k8s-node-controller-0/udp_first_egress`, by the file's own indentation. */
function childNamesIn(file: string): string[] {
  let connection = '';
  return file
    .split('\n')
    .flatMap((line) => {
      connection = /^ {2}(k8s-node-\S+) \{/.exec(line)?.[1] ?? connection;
      const child = /^ {6}(\S+) \{/.exec(line)?.[1];
      return child === undefined ? [] : [`${connection}/${child}`];
    })
    .sort();
}

function selectorsIn(file: string): string[] {
  const children = file.matchAll(/local_ts = (\S+)\n\s+remote_ts = (\S+)/g);
  return [...children].map(([, local = '', remote = '']) => `${local} ${remote}`).sort();
}

async function areSasOfChildren({ lab, op }: Ground): Promise<boolean> {
  for (const host of HOST_NAMES) {
    const [children, { names }] = [await op.childrenOn(host), await ourChildSas(lab, host)];
    if (!names.every((name) => children.includes(name))) return false;
  }
  return true;
}

async function tablesOf({ lab }: Ground): Promise<string[]> {
  const views = await Promise.all(HOST_NAMES.map((host) => guardView(lab, host)));
  return views.flatMap(({ tables }) => tables);
}

/** Every policy says that it is in force, no service is on its way out, and hosts have said so of what stands now. */
async function settled({ lab, op }: Ground, policies: readonly string[]): Promise<void> {
  // A policy whose change the manager has not seen yet says the truth of before.
  await pause(1500);
  for (const name of policies) await op.untilProgrammed(name);
  await until(
    'all stages have come to their end',
    async () => {
      const shards = await lab.api.list('/apis/starlingx.io/v1alpha1/ipsecservices');
      return shards.every(({ spec }) => {
        const { stages = [], endpoints = [] } = spec as Spec;
        return (
          stages.every(({ stage }) => stage === 'enforce') &&
          endpoints.every(({ state }) => state === 'active')
        );
      });
    },
    120_000,
  );
  await pause(1500);
}

interface Spec {
  readonly stages?: readonly { readonly stage: string }[];
  readonly endpoints?: readonly { readonly state: string }[];
}

interface Touched {
  /** As policyTexts prints them, each that was added, changed or deleted once. */
  readonly policies: readonly string[];
  /** `endpoints4 172.16.166.171 . 17 . 6001`. */
  readonly elements: readonly string[];
}

async function touched({ lab }: Ground, act: () => Promise<void>): Promise<Record<LabHost, Touched>> {
  const monitors = await Promise.all(
    HOST_NAMES.map(async (host) => ({
      host,
      nft: lab.spawn(host, ['nft', '--numeric', 'monitor']),
      xfrm: await watchXfrm(lab, host),
    })),
  );
  await act();
  const results = await Promise.all(
    monitors.map(async ({ host, nft, xfrm }) => {
      const events = await xfrm.stop();
      nft.kill();
      const { stdout } = await nft.wait();
      const policies = policyTexts(
        `${events.filter((event) => /\bdir (?:in|out|fwd)/.test(event)).join('\n')}\n`,
      );
      return [host, { policies: [...new Set(policies)], elements: elementsIn(stdout) }] as const;
    }),
  );
  return Object.fromEntries(results) as unknown as Record<LabHost, Touched>;
}

function elementsIn(monitored: string): string[] {
  const changes = monitored.matchAll(/(?:add|delete) element inet \S+ (\S+) \{ (.*?)(?: counter .*?)? \}/g);
  return [...changes].map(([, set = '', element = '']) => `${set} ${element}`).sort();
}
