// What a command gets from where it runs: streams, environment, clock, and the cluster it is meant to ask.
import { Client } from '../kubernetes/client.ts';
import type { Clock } from '../runtime/clock.ts';
import { SettingsError } from '../runtime/errors.ts';
import type { Arguments } from './arguments.ts';
import { CannotTellError } from './command-errors.ts';
import { progress, type Progress } from './progress.ts';
import { painter, wantsColour, type Paint } from './table.ts';

export interface Surroundings {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Path of the kubeconfig when nothing names one; undefined: the service account of the pod. */
  readonly defaultKubeconfig: string | undefined;
}

export interface Output {
  readonly isTTY?: boolean;
  write(text: string | Uint8Array): unknown;
}

/** `--namespace`, POD_NAMESPACE, or where the application is installed on a StarlingX cluster. */
export function namespaceOf(args: Arguments, { environment }: Surroundings): string {
  return args.value('namespace') ?? environment['POD_NAMESPACE'] ?? 'ipsec-policy-operator';
}

/** Throws CannotTellError when there is no usable kubeconfig. Nothing is sent yet. */
export function clientOf(args: Arguments, surroundings: Surroundings): Client {
  const fromEnvironment = surroundings.environment['KUBECONFIG'] ?? '';
  const kubeconfig =
    args.value('kubeconfig') ?? (fromEnvironment === '' ? surroundings.defaultKubeconfig : fromEnvironment);
  try {
    return new Client({ timeoutMs: 15_000, ...(kubeconfig === undefined ? {} : { kubeconfig }) });
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new CannotTellError(error.message);
  }
}

export function paintOf({ stdout, environment }: Surroundings): Paint {
  return painter(wantsColour(stdout.isTTY === true, environment));
}

export function progressOf({ stderr, clock }: Surroundings): Progress {
  return progress({ clock, write: (text) => stderr.write(text), isTerminal: stderr.isTTY === true });
}
