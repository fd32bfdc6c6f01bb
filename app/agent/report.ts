// What one host reports of itself: which shard versions are in force here, read back from charon, and what is wrong. Pure.
import type { HostName, HostReport, ReportedProblem, ShardVersion } from '../domain/facts.ts';
import type { Child, HostConfig, HostPlan, PlannedChild } from '../domain/host-config.ts';
import { compareProblems, type Problem } from '../domain/problem.ts';
import { childKey, type Loaded } from '../swanctl/loaded.ts';
import { formatSelector } from '../swanctl/selector-text.ts';
import { installedChildKeys, type Verification } from '../swanctl/verify.ts';

export interface ReportInput {
  readonly plan: HostPlan;
  /** The plan with names, as it was applied. */
  readonly config: HostConfig;
  readonly loaded: Loaded;
  readonly verification: Verification;
  /** Connections with steps left to do: what they carry is not reported as loaded. */
  readonly unsettled: ReadonlySet<string>;
  /** Problems of this pass, beside the plan's own. */
  readonly problems: readonly Problem[];
  readonly charonVersion: string;
}

/** Sorted and without times: equal states give equal reports, so an idle host writes nothing. */
export function makeReport(input: ReportInput): HostReport {
  const { plan, config, loaded, verification } = input;
  const keys = namedKeys(config);
  const notInForce = shardsNotInForce(input, keys);
  const installed = installedChildKeys(loaded);
  const ownKeys = new Set(keys.values());
  return {
    host: plan.host,
    networkUid: plan.networkUid,
    loaded: plan.shards.filter(({ name }) => !notInForce.has(name)),
    problems: [...plan.problems, ...input.problems, ...missingProblems(verification)]
      .sort(compareProblems)
      .map(reported),
    peersNotReached: [],
    counters: {
      connections: config.connections.length,
      flows: keys.size,
      flowsInForce: verification.inForce.size,
      childSas: [...installed].filter((key) => ownKeys.has(key)).length,
    },
    charonVersion: input.charonVersion,
  };
}

/** Names of shards with a child that is not in force, or in a connection with steps left to do. */
function shardsNotInForce(input: ReportInput, keys: ReadonlyMap<string, string>): Set<string> {
  const isInForce = (connection: string, child: PlannedChild): boolean => {
    const key = keys.get(selectorsKey(connection, child));
    return key !== undefined && input.verification.inForce.has(key) && !input.unsettled.has(connection);
  };
  return new Set(
    input.plan.connections.flatMap(({ name, children }) =>
      children.filter((child) => !isInForce(name, child)).flatMap((child) => child.shards),
    ),
  );
}

/** What a host says that cannot plan or cannot reach charon: nothing is confirmed, nothing is taken back. */
export function helplessReport(
  host: HostName,
  networkUid: string,
  problems: readonly Problem[],
  last?: HostReport,
): HostReport {
  return {
    host,
    networkUid,
    loaded: [] as readonly ShardVersion[],
    problems: problems.map(reported),
    peersNotReached: [],
    counters: last === undefined ? NOTHING : { ...last.counters, flowsInForce: 0, childSas: 0 },
    charonVersion: '',
  };
}

const NOTHING = { connections: 0, flows: 0, flowsInForce: 0, childSas: 0 };

function namedKeys(config: HostConfig): Map<string, string> {
  return new Map(
    config.connections.flatMap((connection) =>
      connection.children.map((child) => [
        selectorsKey(connection.name, child),
        childKey(connection.name, child.name),
      ]),
    ),
  );
}

/** A child without its name: mode and selectors are its identity within a connection. */
function selectorsKey(
  connection: string,
  { mode, localTs, remoteTs }: Pick<Child | PlannedChild, 'mode' | 'localTs' | 'remoteTs'>,
): string {
  return `${connection} ${mode} ${formatSelector(localTs)} ${formatSelector(remoteTs)}`;
}

function missingProblems({ missing }: Verification): Problem[] {
  return missing.map(({ connection, child, reason }) => ({
    reason: 'TrapMissing',
    subject: childKey(connection, child),
    message:
      reason === 'no-trap'
        ? 'charon has neither a trap policy nor an SA for it; the kernel may have refused the policy, see the log of charon'
        : `charon does not have it as it should (${reason})`,
  }));
}

function reported({ reason, subject, message }: Problem): ReportedProblem {
  return { reason, subject, message };
}
