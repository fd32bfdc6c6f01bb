// The commands that people run against a cluster, or on a host: gives them their surroundings and turns what ends them early into
// one line and an exit code. What they do: commands/.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runBundle } from '../commands/bundle-command.ts';
import { CannotTellError, EXIT_CODES, USAGE_CODE, UsageError } from '../commands/command-errors.ts';
import { runInspect } from '../commands/inspect-command.ts';
import { runStatus } from '../commands/status-command.ts';
import type { Surroundings } from '../commands/surroundings.ts';
import { runVerify } from '../commands/verify-command.ts';
import { systemClock } from '../runtime/clock.ts';
import { describeError, isWorldError } from '../runtime/errors.ts';

export const FOR_PEOPLE_USAGE = `  status         what is in force and what not, worst first [--policy NAME] [--host NAME] [-o wide|json|yaml]
  verify NS/NAME is this service really protected, between each pair of hosts [--probe-from NS/POD] [--seconds N] [-o json|yaml]
  support-bundle everything for a bug report, without keys, as a file [-o FILE.tar.gz]
  inspect        what this host has, as JSON; verify and support-bundle run it in the pods of agents
                 The first three take [--kubeconfig FILE] (else KUBECONFIG, ~/.kube/config or the pod's account) and [--namespace NAMESPACE];
                 all end with 0 when all is well, 1 when something is not (or an error), 2 when it cannot be told, 64 when called wrongly
`;

const COMMANDS = {
  status: runStatus,
  verify: runVerify,
  'support-bundle': runBundle,
  inspect: runInspect,
} as const;

export type ForPeople = keyof typeof COMMANDS;

export function isForPeople(command: string | undefined): command is ForPeople {
  return command !== undefined && Object.hasOwn(COMMANDS, command);
}

/** Gives the exit code; errors of the world are said on stderr in one line. */
export async function runForPeople(command: ForPeople, words: readonly string[]): Promise<number> {
  if (words.some((word) => word === '--help' || word === '-h')) {
    process.stdout.write(FOR_PEOPLE_USAGE);
    return 0;
  }
  try {
    return await COMMANDS[command](words, surroundings());
  } catch (error) {
    if (!isWorldError(error)) throw error;
    process.stderr.write(`error: ${describeError(error)}\n`);
    if (error instanceof UsageError) return USAGE_CODE;
    return error instanceof CannotTellError ? EXIT_CODES.unknown : 1;
  }
}

/** Where kubectl looks last, outside a pod. */
function surroundings(): Surroundings {
  const { env, stdout, stderr } = process;
  const file = join(homedir(), '.kube', 'config');
  const isOutside = (env['KUBERNETES_SERVICE_HOST'] ?? '') === '' && existsSync(file);
  return {
    stdout,
    stderr,
    environment: env,
    clock: systemClock,
    defaultKubeconfig: isOutside ? file : undefined,
  };
}
