// Every failure of a conversation with the API server as one kind of error, with the advice whether to try again.
import type { Retry, WorldError } from '../runtime/errors.ts';

/** The API server refused, failed or did not answer. */
export class ApiError extends Error implements WorldError {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** `metav1.Status.reason`: NotFound, AlreadyExists, Conflict, Expired, Invalid, ...; `NoAnswer` when there was none. */
  readonly reason: string;
  readonly retry: Retry;

  constructor(problem: { status: number; reason: string; message: string; cause?: unknown }) {
    super(problem.message, { cause: problem.cause });
    this.name = 'ApiError';
    this.status = problem.status;
    this.reason = problem.reason;
    this.retry = REFUSED_FOR_GOOD.has(problem.status) ? 'on-change' : 'soon';
  }
}

/** The request itself is wrong: the same one will be refused again. All else (also 403, 404, 409) can change by itself. */
const REFUSED_FOR_GOOD: ReadonlySet<number> = new Set([400, 405, 406, 413, 415, 422]);

/** The object was changed or removed since it was read. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409 && error.reason === 'Conflict';
}

export function isAlreadyThere(error: unknown): boolean {
  return error instanceof ApiError && error.reason === 'AlreadyExists';
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** Our rights do not allow it. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

/** The resourceVersion is too old to watch or page from: list again. */
export function isExpired(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 410 || error.reason === 'Expired');
}

/** The error in a `metav1.Status` body, or one made of the HTTP status when the body is something else. */
export function errorOfStatus(what: string, httpStatus: number, body: unknown): ApiError {
  const status = typeof body === 'object' && body !== null ? body : {};
  const code = 'code' in status && typeof status.code === 'number' ? status.code : httpStatus;
  const reason = 'reason' in status && typeof status.reason === 'string' ? status.reason : `Http${code}`;
  const message = 'message' in status && typeof status.message === 'string' ? status.message : `HTTP ${code}`;
  return new ApiError({ status: code, reason, message: `${what}: ${message}` });
}
