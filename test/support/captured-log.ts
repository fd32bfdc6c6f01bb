// A log whose lines a test can read.
import { pino } from 'pino';
import type { Log } from '../../app/runtime/log.ts';

export interface CapturedLog {
  readonly log: Log;
  readonly lines: Readonly<Record<string, unknown>>[];
}

export function capturedLog(): CapturedLog {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'debug', base: {}, timestamp: false, formatters: { level: (label) => ({ level: label }) } },
    { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  return { log, lines };
}
