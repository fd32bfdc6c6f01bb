// What went wrong in a pass, as problems for the host's report.
import type { Problem } from '../domain/problem.ts';
import { describeError } from '../runtime/errors.ts';
import type { Refusal } from './apply-steps.ts';

/** Of an error that ended a pass. */
export function problemOf(error: Error): Problem {
  const isFile = error.name === 'FileError';
  return {
    reason: isFile ? 'FileNotWritten' : 'CharonUnreachable',
    subject: isFile ? 'k8s-nodes.conf' : 'charon',
    message: describeError(error),
  };
}

/** Of a connection that charon would not load. */
export function refusalProblem({ connection, message }: Refusal): Problem {
  return { reason: 'LoadFailed', subject: connection, message: `charon refused it: ${message}` };
}
