// `plan`: what would each host load, given a dump of the cluster? Offline, with the same pure code as manager and agents, and
// hosts that answer at once. How a dump becomes a world: read-dump.ts.
import {
  DEFAULT_PARAMETERS,
  shardName,
  type Facts,
  type HostReport,
  type ShardFact,
  NO_GUARD,
} from '../domain/facts.ts';
import { networkSpec } from '../domain/network.ts';
import { planHost } from '../domain/plan-host.ts';
import type { Problem } from '../domain/problem.ts';
import { resolve, type Resolved } from '../domain/resolve.ts';
import { isSameShard, rollOut } from '../domain/roll-out.ts';
import { renderPlans } from '../swanctl/plan-text.ts';
import { HOW_TO, readDump } from './read-dump.ts';

/** What `plan` prints, and how many of its comments are problems: none, and all that the policies ask for is protected. */
export interface PrintedPlan {
  readonly text: string;
  readonly problems: number;
}

/**
 * Problems as comments, then the conf file of each host under a line `### <host>`, with that host's own problems before it.
 * The same objects in any order, the same text. Throws DumpError.
 */
export function planFromDump(yaml: string): PrintedPlan {
  const { world, unreadable, refused, missing } = readDump(yaml);
  const resolved = resolve(world);
  const facts = settle(resolved);
  const general = [
    ...missing.map((message) => comment(`missing: ${message}`)),
    ...(missing.length === 0 ? [] : [comment(`a dump that has all: ${HOW_TO}`)]),
    ...refused.map((message) =>
      comment(`refused: ${message}. Not planned: the API server would not take it`),
    ),
    ...unreadable.map((message) => comment(`not readable: ${message}`)),
    ...resolved.rows.flatMap((row) => row.problems).map(problemComment),
    ...resolved.problems.map(problemComment),
    ...(resolved.hosts.length > 0 || world.nodes.length === 0 ? [] : [comment(NO_AGENTS)]),
  ];
  const ofHosts = [...renderPlans(facts)].map(([host, file]) => {
    const problems = planHost(facts, host).problems.map(problemComment);
    return { problems: problems.length, text: [`### ${host}\n`, ...problems, file].join('') };
  });
  const comments = [...new Set(general)];
  return {
    text: [...comments, ...ofHosts.map(({ text }) => text)].join(''),
    problems: ofHosts.reduce(
      (sum, { problems }) => sum + problems,
      comments.length - (missing.length > 0 ? 1 : 0),
    ),
  };
}

const NO_AGENTS =
  'no Node in the dump carries the label of the agent, so nothing is protected: label hosts ipsec-policy-agent-operator=enabled';

function problemComment({ reason, subject, message }: Problem): string {
  return comment(`${reason} ${subject}: ${message}`);
}

/** One line, whatever stands in it: a problem may quote what a user wrote. */
function comment(text: string): string {
  return `# ${text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')}\n`;
}

/** More rounds than there are stages and states to go through. */
const ROUNDS = 20;

/** Hosts that answer each version at once take everything to where it stays. */
function settle(resolved: Resolved): Facts {
  const uid = 'offline';
  const network = {
    uid,
    ...networkSpec({ parameters: DEFAULT_PARAMETERS, guardMode: 'enforce' }, resolved.pools),
  };
  let shards: readonly ShardFact[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const reports = resolved.hosts.map(({ name }) => reportOf(name, uid, shards));
    const plan = rollOut(resolved, { shards, reports, overdue: new Set(), noAgentsOverdue: true });
    const known = new Map(shards.map((shard) => [shard.version.name, shard]));
    shards = plan.shards.map((spec) => {
      const name = shardName(spec);
      const before = known.get(name);
      if (before !== undefined && isSameShard(spec, before)) return before;
      return { ...spec, version: { name, uid, generation: (before?.version.generation ?? 0) + 1 } };
    });
  }
  return { network, hosts: resolved.hosts, shards };
}

function reportOf(host: HostReport['host'], networkUid: string, shards: readonly ShardFact[]): HostReport {
  return {
    host,
    networkUid,
    loaded: shards.map(({ version }) => version),
    problems: [],
    peersNotReached: [],
    counters: { connections: 0, flows: 0, flowsInForce: 0, childSas: 0 },
    guard: NO_GUARD,
    charonVersion: '',
  };
}
