// What is wrong on one host, as its report says it and as others see it: for the events of that report. Pure.
import type { GuardMode, HostReport } from './facts.ts';
import { guardObstacles } from './guard-in-place.ts';
import { problemsOf } from './programmed.ts';

export interface HostInput {
  readonly report: HostReport;
  readonly guardMode: GuardMode;
  /** Ready, and not reporting for longer than a stage waits. */
  readonly isOverdue: boolean;
  /** Wall clock in milliseconds. */
  readonly nowMs: number;
}

export interface HostFinding {
  readonly reason: string;
  readonly subject: string;
  readonly message: string;
  readonly isOnce?: true;
}

/** A repair is news for so long: a manager that comes later need not tell of it. */
const REPAIR_NEWS_MS = 600_000;

export function hostFindings({ report, guardMode, isOverdue, nowMs }: HostInput): HostFinding[] {
  const { host, guard } = report;
  const guards = guardObstacles({ guardMode, reports: [report] });
  const isRepairNews = guard.lastRepair !== '' && nowMs - Date.parse(guard.lastRepair) < REPAIR_NEWS_MS;
  return [
    ...problemsOf(report),
    ...guards.map((obstacle) => ({ ...obstacle, subject: 'guard' })),
    ...(isOverdue ? [silent(host)] : []),
    ...(isRepairNews ? [repaired(guard)] : []),
  ];
}

function silent(host: string): HostFinding {
  return {
    reason: 'AgentSilent',
    subject: host,
    message:
      'The host is Ready and its agent does not report what it was asked for. Check the agent pod there.',
  };
}

function repaired({ repairs, lastRepair }: HostReport['guard']): HostFinding {
  return {
    reason: 'GuardRepaired',
    subject: 'guard',
    message: `Somebody else changed the guard; the agent put it back at ${lastRepair} (${repairs} times since it was started). Find who does ("nft monitor" on the host).`,
    isOnce: true,
  };
}
