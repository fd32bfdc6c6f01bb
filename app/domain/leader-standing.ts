// Does a manager lead? As far as the Lease says it to somebody with another clock.
import type { LeaderView } from './cluster-view.ts';

export interface LeaderStanding {
  readonly state: 'leads' | 'none' | 'unknown';
  /** Who holds the Lease, or let it run out; empty: nobody, or not known. */
  readonly holder: string;
}

/** It counts as given up when it was not renewed for twice its time: clocks differ. */
export function leaderStanding(lease: LeaderView, nowMs: number): LeaderStanding {
  if (lease.kind === 'hidden') return { state: 'unknown', holder: '' };
  if (lease.kind === 'absent' || lease.holder === '') return { state: 'none', holder: '' };
  const silentMs = nowMs - Date.parse(lease.renewedAt);
  return { state: silentMs > 2000 * lease.durationSeconds ? 'none' : 'leads', holder: lease.holder };
}
