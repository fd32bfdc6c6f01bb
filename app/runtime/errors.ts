// Errors of the world around us, told apart from bugs by a `retry` field. Who retries and when: work-loop.ts alone.

/** soon: try again with backoff; on-change: only new facts can help; never: the process cannot go on. */
export type Retry = 'soon' | 'on-change' | 'never';

/** A failure of the world (a file, a socket, the API): everything without a `retry` field is a bug and ends the process. */
export interface WorldError extends Error {
  readonly retry: Retry;
}

export function isWorldError(error: unknown): error is WorldError {
  return error instanceof Error && 'retry' in error && typeof error.retry === 'string';
}

/** A file could not be read or written; `cause` has the system's error. */
export class FileError extends Error implements WorldError {
  readonly retry = 'soon';
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'FileError';
  }
}

/** A setting is missing or wrong; the message names it and what is allowed. */
export class SettingsError extends Error implements WorldError {
  readonly retry = 'never';
  constructor(message: string) {
    super(message);
    this.name = 'SettingsError';
  }
}

/** Message and causes in one line, for a log field or a condition. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : describeError(error.cause);
  // Many a message quotes its cause already.
  return cause === '' || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}
