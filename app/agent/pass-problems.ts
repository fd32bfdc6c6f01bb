// What went wrong in a pass, as problems for the host's report.
import type { Problem } from '../domain/problem.ts';
import { GuardError } from '../guard/nft.ts';
import { describeError } from '../runtime/errors.ts';
import type { Refusal } from './apply-steps.ts';

/** Of an error that ended a pass. */
export function problemOf(error: Error): Problem {
  const isFile = error.name === 'FileError';
  return {
    reason: isFile ? 'FileNotWritten' : 'CharonUnreachable',
    subject: isFile ? 'k8s-nodes.conf' : 'charon',
    message: `${describeError(error)}. ${isFile ? FILE_ADVICE : CHARON_ADVICE}`,
  };
}

const FILE_ADVICE = 'Check /etc/swanctl/conf.d on this host: is the disk full, or read-only?';
const CHARON_ADVICE =
  'Check the IPsec service of this host: while charon is away no tunnel is made, and the guard holds what has none.';

/** Of a connection that charon would not load. */
export function refusalProblem({ connection, message }: Refusal): Problem {
  return { reason: 'LoadFailed', subject: connection, message: `charon refused it: ${message}` };
}

/** Of a guard that could not be read or changed. Throws on anything but a GuardError: that is a bug. */
export function guardProblem(error: unknown): Problem {
  if (!(error instanceof GuardError)) throw error;
  return {
    reason: 'GuardMissing',
    subject: 'guard',
    message: `The guard cannot be kept (${error.failure}): ${error.message}. Traps still protect, but nothing holds while charon is away. ${ADVICE[error.failure]}`,
  };
}

const ADVICE: Readonly<Record<GuardError['failure'], string>> = {
  missing: 'The image lacks nft.',
  unsupported: 'The kernel needs nf_tables with the families inet, ip and ip6, and nft_ct.',
  permission: 'The agent needs CAP_NET_ADMIN.',
  refused: 'It is tried again.',
  timeout: 'It is tried again.',
  unreadable: 'It is tried again.',
};
