// `plan`: what would each host load, given a dump of the cluster? Offline, with the same pure code as manager and agents, and
// hosts that answer at once. How a dump becomes a world: read-dump.ts.
import {
  DEFAULT_PARAMETERS,
  shardName,
  type Facts,
  type HostReport,
  type ShardFact,
} from '../domain/facts.ts';
import { networkSpec } from '../domain/network.ts';
import { planHost } from '../domain/plan-host.ts';
import type { Problem } from '../domain/problem.ts';
import { resolve, type Resolved } from '../domain/resolve.ts';
import { isSameShard, rollOut } from '../domain/roll-out.ts';
import { renderPlans } from '../swanctl/plan-text.ts';
import { readDump } from './read-dump.ts';

/**
 * Problems as comments, then the conf file of each host under a line `### <host>`, with that host's own problems before it.
 * The same objects in any order, the same text. Throws DumpError.
 */
export function planFromDump(yaml: string): string {
  const { world, unreadable } = readDump(yaml);
  const resolved = resolve(world);
  const facts = settle(resolved);
  const general = [
    ...unreadable.map((message) => comment(`not readable: ${message}`)),
    ...resolved.rows.flatMap((row) => row.problems).map(problemComment),
    ...resolved.problems.map(problemComment),
    ...(resolved.hosts.length > 0 ? [] : [comment('no Node in the dump carries the label of the agent')]),
  ];
  const files = [...renderPlans(facts)].map(([host, text]) =>
    [`### ${host}\n`, ...planHost(facts, host).problems.map(problemComment), text].join(''),
  );
  return [...new Set(general), ...files].join('');
}

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
    charonVersion: '',
  };
}
