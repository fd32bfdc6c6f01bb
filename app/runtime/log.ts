// One JSON object a line on stdout: a fixed `msg`, facts as fields. info = a state changed, warn = degraded,
// error = someone must act. No keys, no certificates, no text of users beyond names.
import { pino, type Logger } from 'pino';

export type Log = Logger;
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export function createLog(level: LogLevel, fields: Readonly<Record<string, string>>): Log {
  return pino({
    level,
    base: fields,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  });
}
