// What one host reports of itself: which shard versions are in force here, read back from charon, and what is wrong. Pure.
import type { GuardReport, HostName, HostReport } from '../domain/facts.ts';
import type { Child, HostConfig, HostPlan, PlannedChild } from '../domain/host-config.ts';
import { isOurs } from '../domain/names.ts';
import { compareProblems, compareText, type Problem } from '../domain/problem.ts';
import { childKey, type Loaded } from '../swanctl/loaded.ts';
import { formatSelector } from '../swanctl/selector-text.ts';
import { installedChildKeys, type Missing, type Verification } from '../swanctl/verify.ts';

export interface ReportInput {
  readonly plan: HostPlan;
  /** The plan with names, as it was applied. */
  readonly config: HostConfig;
  readonly loaded: Loaded;
  readonly verification: Verification;
  /** Connections with steps left to do: what they carry is not reported as loaded. */
  readonly unsettled: ReadonlySet<string>;
  /** Names of shards of which something unwanted is still loaded: not reported as loaded either. */
  readonly strays: ReadonlySet<string>;
  /** Connections to peers that were asked for a tunnel in vain. */
  readonly unanswered: ReadonlySet<string>;
  /** Problems of this pass, beside the plan's own. */
  readonly problems: readonly Problem[];
  readonly guard: GuardReport;
  readonly charonVersion: string;
}

/** Flows of one service on this host. */
export interface ServiceFlows {
  readonly wanted: number;
  readonly inForce: number;
}

/** By `namespace/name` of the service that names them. */
export function flowsByService({
  plan,
  config,
  verification,
}: Pick<ReportInput, 'plan' | 'config' | 'verification'>): Map<string, ServiceFlows> {
  const keys = namedKeys(config);
  const flows = new Map<string, ServiceFlows>();
  for (const { name, children } of plan.connections)
    for (const child of children) {
      if (child.mode === 'pass') continue;
      const service = `${child.service.namespace}/${child.service.name}`;
      const key = keys.get(selectorsKey(name, child)) ?? '';
      const { wanted, inForce } = flows.get(service) ?? { wanted: 0, inForce: 0 };
      const more = verification.inForce.has(key) ? 1 : 0;
      flows.set(service, { wanted: wanted + 1, inForce: inForce + more });
    }
  return flows;
}

/** `namespace/name` of the service that names it, by childKey. */
export function serviceIndex(plan: HostPlan, config: HostConfig): Map<string, string> {
  const keys = namedKeys(config);
  return new Map(
    plan.connections.flatMap(({ name, children }) =>
      children.map((child) => [
        keys.get(selectorsKey(name, child)) ?? '',
        `${child.service.namespace}/${child.service.name}`,
      ]),
    ),
  );
}

/** Sorted, and without times but that of a repair: equal states give equal reports, so an idle host writes nothing. */
export function makeReport(input: ReportInput): HostReport {
  const { plan, config, loaded, verification, strays } = input;
  const keys = namedKeys(config);
  const notInForce = shardsNotInForce(input, keys);
  return {
    host: plan.host,
    networkUid: plan.networkUid,
    loaded: plan.shards.filter(({ name }) => !notInForce.has(name) && !strays.has(name)),
    problems: reported([...plan.problems, ...input.problems, ...missingProblems(verification)]),
    peersNotReached: unansweredPeers(input),
    counters: {
      connections: config.connections.length,
      flows: keys.size,
      flowsInForce: verification.inForce.size,
      childSas: [...installedChildKeys(loaded)].filter(isOursByKey).length,
    },
    guard: input.guard,
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

function unansweredPeers({ plan, unanswered }: ReportInput): HostName[] {
  const peers = plan.connections.flatMap((connection) =>
    connection.kind === 'peer' && unanswered.has(connection.name) ? [connection.peer] : [],
  );
  return [...new Set(peers)].sort(compareText);
}

export interface Helpless extends Pick<HostReport, 'host' | 'networkUid' | 'guard'> {
  readonly problems: readonly Problem[];
  readonly last: HostReport | undefined;
}

/** What a host says that cannot plan or cannot reach charon: nothing is confirmed, nothing is taken back. */
export function helplessReport({ host, networkUid, guard, problems, last }: Helpless): HostReport {
  return {
    host,
    networkUid,
    loaded: [],
    problems: reported(problems),
    peersNotReached: [],
    counters: last === undefined ? NOTHING : { ...last.counters, flowsInForce: 0, childSas: 0 },
    guard,
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

function isOursByKey(key: string): boolean {
  return isOurs(key.slice(0, key.indexOf('/')));
}

const MISSING: Readonly<Record<Missing['reason'], string>> = {
  'no-trap':
    'have neither a trap policy nor an SA in charon; the kernel may have refused the policy, see the log of charon',
  'not-loaded': 'are not loaded in charon',
  'other-selectors': 'are loaded in charon for another flow',
};

/** One for each connection and reason, however many children it is: a report must stay small enough to be written. */
function missingProblems({ missing }: Verification): Problem[] {
  const groups = Map.groupBy(missing, ({ connection, reason }) => `${connection} ${reason}`);
  return [...groups.values()].flatMap(([first, ...others]): Problem[] => {
    if (first === undefined) return [];
    const names = `${first.child}${others.length === 0 ? '' : ` and ${others.length} more`}`;
    return [
      {
        reason: 'TrapMissing',
        subject: first.connection,
        message: `children (${names}) ${MISSING[first.reason]}`,
      },
    ];
  });
}

const PROBLEMS_AT_MOST = 100;
const MESSAGE_LENGTH = 1024;

function reported(problems: readonly Problem[]): HostReport['problems'] {
  return problems
    .toSorted(compareProblems)
    .slice(0, PROBLEMS_AT_MOST)
    .map(({ reason, subject, message }) => ({ reason, subject, message: message.slice(0, MESSAGE_LENGTH) }));
}
