// Is this host's clock right? Each answer of the API server says what time it is there. Between answers, which an idle agent does not
// get for minutes, the monotonic clock goes on from the last one: a clock that is set wrong is noticed in the next pass.
import type { HostName } from '../domain/facts.ts';
import type { Problem } from '../domain/problem.ts';
import type { Clock } from '../runtime/clock.ts';

export interface ClockCheck {
  /** As it stood in an answer: wall clock of the API server. */
  serverTime(timeMs: number): void;
  problems(): Problem[];
}

/** An answer may be late, and says whole seconds; certificates are valid for months. */
const BOUND_MS = 60_000;

export function clockCheck(self: HostName, clock: Pick<Clock, 'now' | 'monotonic'>): ClockCheck {
  /** Wall clock of the API server when the monotonic clock here was 0. */
  let serverZeroMs: number | undefined;
  return {
    serverTime: (timeMs) => {
      serverZeroMs = timeMs - clock.monotonic();
    },
    problems: () => {
      if (serverZeroMs === undefined) return [];
      const aheadMs = clock.now() - (serverZeroMs + clock.monotonic());
      if (Math.abs(aheadMs) < BOUND_MS) return [];
      const message = `The clock of ${self} is ${roughly(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} that of the API server. Certificates are judged by it: set it right (is NTP running on ${self}, and on the controllers?).`;
      return [{ reason: 'ClockOff', subject: self, message }];
    },
  };
}

/** Coarse, so that a report does not change with every look. */
function roughly(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes < 120) return `about ${Math.round(minutes)} minutes`;
  return minutes < 48 * 60
    ? `about ${Math.round(minutes / 60)} hours`
    : `about ${Math.round(minutes / 1440)} days`;
}
