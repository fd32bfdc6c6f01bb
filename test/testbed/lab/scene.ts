// A lab in which our application runs on all hosts, with one protected service that is in use from the beginning to the end:
// whatever a case does, that service's tunnels and the platform's must not notice. Checks that every case repeats are here.
import { expect } from 'chai';
import { startLab, type Lab, type LabOptions } from './lab.ts';
import { operator, type ConditionText, type Operator } from './operator.ts';
import { isHost } from './places.ts';
import { readSas, type Sa } from './sas.ts';
import { HOST_NAMES, type LabHost } from './topology.ts';
import type { Talk, TalkResult } from './traffic.ts';
import { watchXfrmEverywhere } from './xfrm-monitor.ts';

/** One of our children as `swanctl --list-conns` prints it: `controller-0/tcp_web_egress 172.16.43.0/26[tcp] 172.16.192.80/32[tcp/http]`. */
export type ChildText = string;

export interface Flow {
  /** Of the child's name: `tcp_web`. */
  readonly name: string;
  /** `-2` and so on, where the name is taken. */
  readonly suffix?: string;
  readonly host: LabHost;
  readonly endpoint: string;
  /** As charon prints it: `tcp/http`. */
  readonly port: string;
  readonly client: LabHost;
  readonly clientPrefix: string;
}

export interface Scene {
  readonly lab: Lab;
  readonly op: Operator;
  /** Resolves when all hosts have exactly these flows, both ends, and children under names that match; rejects with the difference. */
  untilFlows(
    names: RegExp,
    flows: readonly Flow[],
    others?: Readonly<Partial<Record<LabHost, readonly ChildText[]>>>,
  ): Promise<void>;
  /** Our children of all hosts whose names match, sorted. */
  childrenOf(names: RegExp): Promise<Readonly<Record<LabHost, readonly ChildText[]>>>;
  /** Resolves when the policy's condition, for what it says now, has this status and a message with the text. */
  untilCondition(
    policy: string,
    type: string,
    status: 'True' | 'False',
    text?: string,
  ): Promise<ConditionText>;
  /** Resolves when every host has reported every shard as it stands. */
  untilSettled(): Promise<void>;
  /** SPIs of all CHILD_SAs whose names match, by host and child. */
  spisOf(names: RegExp): Promise<readonly string[]>;
  /** Talks until every one is answered, then counts: nothing lost, nothing in plaintext from the first packet on, all in ESP. */
  expectInEsp(talks: readonly Talk[]): Promise<void>;
  /** Every message and every answer crosses the wire as it is, and not one thing happens to IPsec meanwhile. */
  expectPlain(talks: readonly Talk[]): Promise<void>;
  /** A platform `--load-all` on every host finds all as it is: connections, the platform's SAs, those of the service in use. */
  expectUntouched(): Promise<void>;
  /** Ends all policies; rejects unless everything of ours goes and the platform is as it was before it came. */
  expectAllGone(): Promise<void>;
  close(): Promise<void>;
}

/** The service in use from beginning to end. */
const BASE = { name: 'base', policy: 'base', port: 5007 } as const;
const BASE_SERVERS: Partial<Record<LabHost, string>> = {
  'controller-0': '172.16.192.126',
  'controller-1': '172.16.166.190',
};

/** A pod on every host that only asks. */
export const CLIENTS: Readonly<
  Record<LabHost, { readonly from: `default/${string}`; readonly source: string }>
> = {
  'controller-0': { from: 'default/client-controller-0', source: '172.16.192.125' },
  'controller-1': { from: 'default/client-controller-1', source: '172.16.166.189' },
  'worker-0': { from: 'default/client-worker-0', source: '172.16.43.62' },
};

/** A look at charon and nft costs a second in the guest, which the three hosts share: fewer of those that find nothing. */
const AGENT = { VERIFY_SECONDS: '20' };
const PATIENCE_MS = 150_000;
const POLL_MS = 500;
const MESSAGES = 10;

export interface SceneOptions extends LabOptions {
  /** Settings of the first agents; few looks at charon when absent. */
  readonly agent?: Readonly<Record<string, string>>;
}

/** Resolves when the service in use has SAs between all hosts. */
export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const lab = await startLab(options);
  const op = operator(lab);
  const close = async (): Promise<void> => {
    await op.stop();
    await lab.stop();
  };
  try {
    return await furnish(lab, op, { close, agent: options.agent ?? AGENT });
  } catch (error) {
    await close();
    throw error;
  }
}

interface Surroundings {
  readonly close: () => Promise<void>;
  readonly agent: Readonly<Record<string, string>>;
}

async function furnish(lab: Lab, op: Operator, { close, agent }: Surroundings): Promise<Scene> {
  let isInUse = true;
  const platformBefore = await platformOf(lab);
  op.startManager();
  for (const host of HOST_NAMES) op.startAgent(host, agent);
  await addBase(lab);
  await op.applyPolicy(BASE.policy, [
    { name: BASE.name, servicename: BASE.name, servicens: 'default', serviceports: `udp/${BASE.port}` },
  ]);
  const scene = checks(lab, op);
  await scene.untilCondition(BASE.policy, 'Programmed', 'True');
  for (const host of HOST_NAMES)
    for (const [server, address = ''] of Object.entries(BASE_SERVERS))
      if (server !== host)
        await untilAnswered(lab, { ...CLIENTS[host], protocol: 'udp', address, port: BASE.port });
  const sasNow = await sasOf(lab);
  const baseSas = byHost((host) => baseIn(sasNow[host]));
  // Where a handshake took longer than an agent waits for a trap there are two SAs of a child, and stay (testbed: 11).
  expect(Object.values(baseSas).flat().length, 'SAs of the service in use').to.be.at.least(8);
  return {
    lab,
    op,
    ...scene,
    expectUntouched: async () => {
      await scene.untilSettled();
      const before = await scene.childrenOf(/./);
      for (const host of HOST_NAMES) await lab.swanctl(host, '--load-all', '--noprompt');
      const baseNow = isInUse ? baseSas : byHost(() => []);
      const expected = byHost((host) => [...before[host], ...platformBefore[host], ...baseNow[host]]);
      const ask = async (): Promise<ByHost> => {
        const [conns, sas] = await Promise.all([listings(lab), sasOf(lab)]);
        const platform = platformIn(conns, sas);
        return byHost((host) => [...childrenIn(conns[host]), ...platform[host], ...baseIn(sas[host])]);
      };
      await untilSame('what a platform --load-all leaves', ask, expected);
    },
    expectAllGone: async () => {
      isInUse = false;
      for (const { metadata } of await lab.api.list('/apis/starlingx.io/v1/ipsecpolicies'))
        await op.deletePolicy(metadata.name);
      await op.untilNothingLeft();
      await poll(
        'no SA of ours is left',
        () => scene.spisOf(/./),
        (spis) => spis.length === 0,
      );
      for (const host of HOST_NAMES) expect(await lab.run(host, ['ls', '/etc/swanctl/conf.d'])).to.equal('');
      await untilSame("the platform's connections and SAs", () => platformOf(lab), platformBefore);
    },
    close,
  };
}

async function addBase(lab: Lab): Promise<void> {
  await lab.addService({
    name: BASE.name,
    selector: { app: BASE.name },
    ports: [{ port: BASE.port, protocol: 'UDP' }],
  });
  for (const host of HOST_NAMES)
    await lab.addPod({ host, name: `client-${host}`, addresses: [CLIENTS[host].source] });
  for (const [host, address = ''] of Object.entries(BASE_SERVERS)) {
    const pod = await lab.addPod({
      host: host as LabHost,
      name: `base-${host}`,
      addresses: [address],
      labels: { app: BASE.name },
    });
    await lab.serveEcho(pod, 'udp', address, BASE.port);
  }
}

type Checks = Pick<
  Scene,
  'untilCondition' | 'untilSettled' | 'untilFlows' | 'childrenOf' | 'spisOf' | 'expectInEsp' | 'expectPlain'
>;

function checks(lab: Lab, op: Operator): Checks {
  const childrenOf: Scene['childrenOf'] = async (names) => {
    const all = await listings(lab);
    return byHost((host) => childrenIn(all[host]).filter((child) => names.test(nameOf(child))));
  };
  const untilSettled: Scene['untilSettled'] = async () => {
    await poll(
      'every host has reported',
      () => unreported(lab),
      (missing) => missing.length === 0,
    );
  };
  return {
    childrenOf,
    untilSettled,
    untilCondition: async (policy, type, status, text = '') => {
      const found = await poll(
        `${policy} says ${status} for ${type} ${text}`,
        () => op.condition(policy, type),
        (condition) => condition?.status === status && condition.message.includes(text),
      );
      return found!;
    },
    untilFlows: async (names, flows, others = {}) => {
      const expected = byHost((host) =>
        [...flows.flatMap((flow) => endsOn(host, flow)), ...(others[host] ?? [])].sort(),
      );
      // Asking the API costs the hosts nothing: they are looked at only when they say that they are done.
      const ask = async (): Promise<ByHost> => untilSettled().then(() => childrenOf(names));
      await untilSame('flows of the hosts', ask, expected, PATIENCE_MS);
    },
    spisOf: async (names) => {
      const all = await Promise.all(
        HOST_NAMES.map(async (host) => [host, await readSas(lab, host)] as const),
      );
      return all
        .flatMap(([host, sas]) =>
          sas
            .filter((sa) => sa.connection.startsWith('k8s-node-'))
            .flatMap((sa) => sa.children.map((child) => ({ host, connection: sa.connection, child }))),
        )
        .filter(({ child }) => names.test(child.name))
        .map(({ host, connection, child }) => `${host} ${connection} ${child.name} ${child.spis.join(' ')}`)
        .sort();
    },
    expectInEsp: async (talks) => {
      const capture = await lab.capture();
      for (const talk of talks) await untilAnswered(lab, talk);
      const results = await talkAll(lab, talks);
      const wire = await capture.stop();
      expect(wire.plaintext.map(packetText), 'in plaintext').to.deep.equal([]);
      expect(results.map(lossOf), 'lost').to.deep.equal(talks.map(() => 'nothing'));
      expect(wire.esp.length, 'packets in ESP').to.be.at.least(2 * MESSAGES * talks.length);
    },
    expectPlain: async (talks) => {
      const [capture, monitor] = [await lab.capture(), await watchXfrmEverywhere(lab)];
      const results = await talkAll(lab, talks);
      const events = await monitor.stop();
      const wire = await capture.stop();
      expect(results.map(lossOf), 'lost').to.deep.equal(talks.map(() => 'nothing'));
      expect(wire.esp, 'in ESP').to.deep.equal([]);
      expect(wire.plaintext.length, 'in plaintext').to.be.at.least(2 * MESSAGES * talks.length);
      expect(events, 'events of IPsec').to.deep.equal([]);
    },
  };
}

/** Shards that a host has not reported as they stand. */
async function unreported(lab: Lab): Promise<readonly string[]> {
  const shards = await lab.api.list('/apis/starlingx.io/v1alpha1/ipsecservices');
  const reports = await lab.api.list('/apis/starlingx.io/v1alpha1/ipsechostreports');
  const own = reports.filter(({ metadata }) => isHost(metadata.name));
  return own.flatMap((report) => {
    const { loaded = [] } = (report['status'] ?? {}) as { readonly loaded?: readonly ShardText[] };
    const known = loaded.map(({ name, uid, generation }) => `${name} ${uid} ${generation}`);
    return shards
      .map(({ metadata: { name, uid = '', generation = 0 } }) => `${name} ${uid} ${generation}`)
      .filter((shard) => !known.includes(shard))
      .map((shard) => `${report.metadata.name}: ${shard}`);
  });
}

interface ShardText {
  readonly name?: string;
  readonly uid: string;
  readonly generation: number;
}

async function talkAll(lab: Lab, talks: readonly Talk[]): Promise<readonly TalkResult[]> {
  return Promise.all(talks.map((talk) => lab.talk({ count: MESSAGES, lingerMs: 5000, ...talk })));
}

/** The first packet of a flow makes its SA and is lost with it, as with any trap. */
async function untilAnswered(lab: Lab, talk: Talk): Promise<void> {
  await poll(
    `${talk.address} answers ${talk.source}`,
    () => lab.talk({ ...talk, count: 1, lingerMs: talk.protocol === 'udp' ? 500 : 10_000 }),
    ({ received }) => received === 1,
  );
}

function lossOf({ sent, received, error }: TalkResult): string {
  return error ?? (sent === received ? 'nothing' : `${sent - received} of ${sent}`);
}

function packetText(packet: {
  source: string;
  destination: string;
  protocol: number;
  destinationPort?: number;
}): string {
  return `${packet.source} > ${packet.destination} ${packet.protocol}/${packet.destinationPort ?? ''}`;
}

/** Asks again until it is so; the error has the last answer. */
export async function poll<T>(
  what: string,
  ask: () => Promise<T>,
  isSo: (answer: T) => boolean,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const last = await ask();
    if (isSo(last)) return last;
    if (performance.now() > deadline)
      throw new Error(`waited ${timeoutMs} ms in vain until ${what}: ${JSON.stringify(last)}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * Looks several times even at what should be there at once: charon 5.9 prints a wrong name of a port or protocol now and then,
 * when it answers two at the same time (getservbyport's one buffer), and an agent may be asking too.
 */
async function untilSame(
  what: string,
  ask: () => Promise<ByHost>,
  expected: ByHost,
  timeoutMs = 5000,
): Promise<void> {
  let last = byHost((): readonly string[] => []);
  const isSo = (): boolean => JSON.stringify(last) === JSON.stringify(expected);
  await poll(what, async () => (last = await ask()), isSo, timeoutMs).catch((error: unknown) => {
    expect(without(last, expected), `${what}: too much`).to.deep.equal(byHost(() => []));
    expect(without(expected, last), `${what}: not there`).to.deep.equal(byHost(() => []));
    throw error;
  });
}

type ByHost = Readonly<Record<LabHost, readonly string[]>>;

function without(all: ByHost, others: ByHost): ByHost {
  return byHost((host) => all[host].filter((text) => !others[host].includes(text)));
}

function byHost<T>(make: (host: LabHost) => T): Record<LabHost, T> {
  return Object.fromEntries(HOST_NAMES.map((host) => [host, make(host)])) as Record<LabHost, T>;
}

async function listings(lab: Lab): Promise<Record<LabHost, string>> {
  const texts = await Promise.all(HOST_NAMES.map((host) => listing(lab, host)));
  return Object.fromEntries(HOST_NAMES.map((host, index) => [host, texts[index] ?? ''])) as Record<
    LabHost,
    string
  >;
}

/**
 * As charon says it twice: now and then it prints another thread's protocol for a selector's (getprotobynumber() has one
 * buffer for all threads).
 */
async function listing(lab: Lab, host: LabHost): Promise<string> {
  let before: string | undefined;
  for (;;) {
    const text = await lab.swanctl(host, '--list-conns');
    if (text === before) return text;
    before = text;
  }
}

/** The platform's connections, and its SAs without what only time changes. */
export async function platformOf(lab: Lab): Promise<Record<LabHost, readonly string[]>> {
  const [conns, sas] = await Promise.all([listings(lab), sasOf(lab)]);
  return platformIn(conns, sas);
}

function platformIn(
  conns: Readonly<Record<LabHost, string>>,
  sas: Readonly<Record<LabHost, readonly Sa[]>>,
): Record<LabHost, readonly string[]> {
  return byHost((host) => {
    const own = sas[host]
      .filter((sa) => sa.connection === 'system-nodes')
      .map((sa) => `system-nodes #${sa.uniqueId} ${sa.state} ${sa.spis.join(' ')}`);
    const theirs = conns[host].split(/\n(?=\S)/).filter((text) => !text.startsWith('k8s-node-'));
    return [...own, ...theirs.map((text) => text.trim())].sort();
  });
}

async function sasOf(lab: Lab): Promise<Record<LabHost, readonly Sa[]>> {
  const all = await Promise.all(HOST_NAMES.map((host) => readSas(lab, host)));
  return byHost((host) => all[HOST_NAMES.indexOf(host)] ?? []);
}

/** Children of the service in use with their SPIs. */
function baseIn(sas: readonly Sa[]): readonly string[] {
  return sas
    .flatMap((sa) => sa.children.map(({ name, spis }) => `${sa.connection} ${name} ${spis.join(' ')}`))
    .filter((text) => text.includes(' udp_base_'))
    .sort();
}

/** Peers without our prefix. */
function childrenIn(listing: string): ChildText[] {
  const ours = listing.split(/\n(?=\S)/).filter((text) => text.startsWith('k8s-node-'));
  return ours
    .flatMap((text) => {
      const connection = /^k8s-node-([^:]+):/.exec(text)?.[1] ?? '';
      const children = text.matchAll(
        /^ {2}(\S+): (?:TUNNEL|PASS).*\n {4}local: +(\S+)\n {4}remote: +(\S+)/gm,
      );
      return [...children].map(
        ([, name = '', local = '', remote = '']) => `${connection}/${name} ${local} ${remote}`,
      );
    })
    .sort();
}

function nameOf(child: ChildText): string {
  return /\/(\S+)/.exec(child)?.[1] ?? '';
}

function endsOn(host: LabHost, flow: Flow): ChildText[] {
  const { name, suffix = '', endpoint, port, client, clientPrefix } = flow;
  const isIpv6 = endpoint.includes(':');
  const protocol = port.replace(/\/.*/, '');
  const [near, far] = [`${clientPrefix}[${protocol}]`, `${endpoint}/${isIpv6 ? 128 : 32}[${port}]`];
  const connection = (peer: LabHost): string => `${peer}${isIpv6 ? '-ipv6' : ''}`;
  if (host === client) return [`${connection(flow.host)}/${name}_egress${suffix} ${near} ${far}`];
  return host === flow.host ? [`${connection(client)}/${name}_ingress${suffix} ${far} ${near}`] : [];
}
