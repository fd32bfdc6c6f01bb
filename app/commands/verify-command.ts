// `verify <namespace>/<service>`: is it really protected, between each pair of hosts, now? Two looks at what charon and the kernel
// have on every host, with a probe between them if the caller names a pod, judged by judge-service.ts.
import { setTimeout as pause } from 'node:timers/promises';
import { dump } from 'js-yaml';
import type { Facts, HostName } from '../domain/facts.ts';
import { compareFlowVerdicts, type FlowVerdict } from '../domain/flow-verdict.ts';
import { formatPort } from '../domain/ports.ts';
import type { ClusterView } from '../domain/cluster-view.ts';
import type { Client } from '../kubernetes/client.ts';
import type { Clock } from '../runtime/clock.ts';
import { COMMON_OPTIONS, oneOf, readArguments, type Expected } from './arguments.ts';
import { askHosts } from './ask-host.ts';
import { CannotTellError, UsageError } from './command-errors.ts';
import { hostTruth, unknownTruth, type HostTruth } from './host-truth.ts';
import { endpointsOf, judgeService, type JudgedPair } from './judge-service.ts';
import { probe, type Probed } from './probe.ts';
import type { Progress } from './progress.ts';
import { readCluster } from './read-cluster.ts';
import { clientOf, namespaceOf, paintOf, progressOf, type Surroundings } from './surroundings.ts';
import { verifyText, type ServiceVerdict } from './verify-text.ts';

const FORMATS = ['text', 'json', 'yaml'] as const;

const EXPECTED: Expected = {
  options: {
    ...COMMON_OPTIONS,
    seconds: { value: 'SECONDS' },
    'probe-from': { value: 'NAMESPACE/POD' },
    output: { value: FORMATS.join('|'), short: 'o' },
  },
  words: ['NAMESPACE/SERVICE'],
  usage:
    'verify NAMESPACE/SERVICE [--probe-from NAMESPACE/POD] [--seconds N] [-o json|yaml] [--kubeconfig FILE] [-n NAMESPACE]',
};

/** 0 protected; 1 held or in plaintext; 2 it cannot be told. */
const CODES: Readonly<Record<FlowVerdict, number>> = { PROTECTED: 0, HELD: 1, PLAINTEXT: 1, UNKNOWN: 2 };

/** Gives the exit code, by the worst verdict. Throws UsageError, CannotTellError. */
export async function runVerify(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const args = readArguments(words, EXPECTED);
  const format = oneOf('output', args.value('output') ?? 'text', FORMATS);
  const service = pairOf('NAMESPACE/SERVICE', args.words[0] ?? '');
  const probeText = args.value('probe-from');
  const pod = probeText === undefined ? undefined : pairOf('--probe-from', probeText);
  const seconds = secondsOf(args.value('seconds') ?? '5');
  const client = clientOf(args, surroundings);
  const progress = progressOf(surroundings);
  try {
    progress.step('reading the cluster');
    const namespace = namespaceOf(args, surroundings);
    const view = await readCluster({ client, namespace, nowMs: surroundings.clock.now() });
    const { clock } = surroundings;
    const asked = { client, namespace, view, progress, seconds, pod, clock };
    const result = await verifyService(`${service.namespace}/${service.name}`, asked);
    progress.end();
    const text = {
      text: () => verifyText(result, paintOf(surroundings)),
      json: () => `${JSON.stringify(result, undefined, 2)}\n`,
      yaml: () => dump(result, { lineWidth: -1 }),
    };
    surroundings.stdout.write(text[format]());
    return CODES[result.verdict];
  } finally {
    progress.end();
    await client.close();
  }
}

interface Asked {
  readonly client: Client;
  readonly namespace: string;
  readonly view: ClusterView;
  readonly progress: Progress;
  readonly seconds: number;
  readonly pod: { readonly namespace: string; readonly name: string } | undefined;
  readonly clock: Clock;
}

async function verifyService(service: string, asked: Asked): Promise<ServiceVerdict> {
  const { view, seconds, pod } = asked;
  const bare = { service, stages: [], pairs: [], seconds };
  const shards = view.shards.filter((shard) => `${shard.namespace}/${shard.service}` === service);
  if (view.unreadable.length > 0) throw new CannotTellError(view.unreadable[0] ?? '');
  if (shards.length === 0) return { ...bare, verdict: 'PLAINTEXT', findings: [notProtected(service, view)] };
  if (view.network === undefined)
    throw new CannotTellError(
      'there is no IPsecNetwork "cluster", so it is not known what hosts should have',
    );
  if (view.agents === undefined)
    throw new CannotTellError(
      `you may not list the pods of ${asked.namespace}: hosts are asked in the pods of their agents (get and create of pods/exec there)`,
    );
  const facts: Facts = { network: view.network, hosts: view.hosts, shards: view.shards };
  const hosts = view.hosts.map(({ name }) => name);
  const first = await look(hosts, asked, 'first look');
  const startMs = asked.clock.monotonic();
  const probed = pod === undefined ? undefined : await probeAll(facts, service, asked);
  asked.progress.step(`watching for ${seconds} s`);
  await pause(seconds * 1000);
  const watched = Math.round((asked.clock.monotonic() - startMs) / 1000);
  const second = await look(hosts, asked, 'second look');
  const looks = new Map(
    hosts.map((host) => [
      host,
      {
        first: first.get(host) ?? unknownTruth('not asked'),
        second: second.get(host) ?? unknownTruth('not asked'),
      },
    ]),
  );
  const probedFrom = probed !== undefined && 'node' in probed ? (probed.node as HostName) : undefined;
  const pairs = judgeService({ facts, service, looks, seconds: watched, probedFrom });
  return {
    service,
    verdict: worstOf(pairs),
    stages: shards.flatMap(({ stages }) => stages.map((entry) => `${formatPort(entry)} ${entry.stage}`)),
    pairs,
    seconds: watched,
    findings: [...noPairs(pairs), ...probeFindings(probed)],
  };
}

async function look(
  hosts: readonly HostName[],
  asked: Asked,
  what: string,
): Promise<Map<HostName, HostTruth>> {
  const answers = await askHosts(hosts, {
    client: asked.client,
    namespace: asked.namespace,
    agents: asked.view.agents ?? [],
    onProgress: (answered, of) => asked.progress.step(`${what}: ${answered} of ${of} hosts`),
  });
  return new Map(
    [...answers].map(([host, answer]) => [
      host,
      'said' in answer ? hostTruth(answer.said) : unknownTruth(answer.failed),
    ]),
  );
}

async function probeAll(facts: Facts, service: string, { client, pod, progress }: Asked): Promise<Probed> {
  if (pod === undefined) throw new Error('no pod to probe from');
  progress.step(`probing from ${pod.namespace}/${pod.name}`);
  return probe({ client, pod, targets: endpointsOf({ facts, service }) });
}

function probeFindings(probed: Probed | undefined): string[] {
  if (probed === undefined || 'node' in probed) return [];
  return [`No probe was sent: ${probed.failed}.`];
}

/** Nothing is between hosts, so nothing can be wrong there. */
function noPairs(pairs: readonly JudgedPair[]): string[] {
  return pairs.length > 0
    ? []
    : ['It has no endpoint that a pod of another host could reach, so nothing of it leaves a host.'];
}

function worstOf(pairs: readonly JudgedPair[]): FlowVerdict {
  return pairs.map(({ verdict }) => verdict).sort(compareFlowVerdicts)[0] ?? 'PROTECTED';
}

function notProtected(service: string, view: ClusterView): string {
  const policy = view.policies.find(({ status }) => status?.rows.some((row) => row.service === service));
  if (policy !== undefined)
    return `IPsecPolicy ${policy.name} names it, and no host has anything of it yet: see status --policy ${policy.name}.`;
  const known = [...new Set(view.shards.map((shard) => `${shard.namespace}/${shard.service}`))].sort();
  const list = known.length === 0 ? 'nothing is protected' : `protected are ${known.slice(0, 10).join(', ')}`;
  return `No IPsecPolicy protects it, if it exists; ${list}.`;
}

function pairOf(what: string, text: string): { readonly namespace: string; readonly name: string } {
  const match = /^([a-z0-9][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9.-]{0,252})$/.exec(text);
  if (match === null)
    throw new UsageError(`"${text}" is not ${what}: write for example kube-system/kube-dns`);
  return { namespace: match[1] ?? '', name: match[2] ?? '' };
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!/^\d+$/.test(text) || seconds < 1 || seconds > 600)
    throw new UsageError(`--seconds ${text}: give a number from 1 to 600`);
  return seconds;
}
