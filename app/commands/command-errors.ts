// What ends a command early, each with one line and a code: a wrong call, or a cluster that does not say enough.
import { ApiError } from '../kubernetes/api-error.ts';
import { apiVersion, type Resource } from '../kubernetes/resources.ts';
import { describeError, type WorldError } from '../runtime/errors.ts';

/** As sysexits.h has it: the command was called wrongly. */
export const USAGE_CODE = 64;

/** What a verdict is as an exit code: 0 all is well, 1 something is not, 2 it cannot be told. */
export const EXIT_CODES = { well: 0, wrong: 1, unknown: 2 } as const;

/** An option, an argument or a name that there is not; the message says what there is. */
export class UsageError extends Error implements WorldError {
  override readonly name = 'UsageError';
  readonly retry = 'never';
}

/** The cluster could not be asked, or not for what an answer needs: nothing is known, good or bad. */
export class CannotTellError extends Error implements WorldError {
  override readonly name = 'CannotTellError';
  readonly retry = 'never';
}

/** Why a kind cannot be listed, with what to do; anything but an ApiError is thrown again. */
export function whyNotRead(error: unknown, resource: Resource): string {
  if (!(error instanceof ApiError)) throw error;
  const name = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
  switch (error.status) {
    case 0:
      return `the API server does not answer: ${describeError(error.cause ?? error)}. Check the kubeconfig (--kubeconfig, KUBECONFIG) and the network`;
    case 401:
      return 'the API server does not accept these credentials: check the kubeconfig (--kubeconfig, KUBECONFIG)';
    case 403:
      return `you may not read ${name}: ask for the ClusterRole ipsec-policy-operator-view`;
    case 404:
      return `the cluster does not know ${resource.kind} (${apiVersion(resource)}): ipsec-policy-operator is not installed`;
    default:
      return `${name} cannot be read: ${error.message}`;
  }
}
