// Where a program runs: in the guest itself, on a host, in a pod. A host is a network, mount and UTS namespace in the
// guest, a pod a network namespace; network.ts makes them.
import type { ExecOptions, GuestCommands, SpawnOptions } from './guest-commands.ts';
import type { CommandResult, GuestProcess } from './guest-process.ts';
import { HOST_NAMES, type LabHost } from './topology.ts';

export type PodKey = `${string}/${string}`;
/** `guest`, a host's name, or a pod as `namespace/name`. */
export type Place = 'guest' | LabHost | PodKey;

export interface Places {
  /** Runs to the end in a place, whatever the exit code. */
  exec(place: Place, argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  /** The same, but rejects unless the exit code is 0; gives standard output. */
  run(place: Place, argv: readonly string[], options?: ExecOptions): Promise<string>;
  spawn(place: Place, argv: readonly string[], options?: SpawnOptions): GuestProcess;
  /** Before the namespaces of a pod or a host are removed. */
  forget(place: Place): void;
  readFile(place: Place, path: string): Promise<string>;
  /** Writes files, making their folders. */
  writeFiles(place: Place, files: Readonly<Record<string, string>>): Promise<void>;
}

export function places(guest: GuestCommands): Places {
  const exec: Places['exec'] = (place, argv, options) => guest.exec(namespacesOf(place), argv, options);
  const run: Places['run'] = async (place, argv, options) => {
    const result = await exec(place, argv, options);
    if (result.code === 0) return result.stdout;
    throw new Error(
      `${place}: ${argv.join(' ')}: ${result.code ?? result.signal}\n${result.stdout}${result.stderr}`,
    );
  };
  return {
    exec,
    run,
    spawn: (place, argv, options) => guest.spawn(namespacesOf(place), argv, options),
    forget: (place) => guest.forget(namespacesOf(place)),
    readFile: (place, path) => run(place, ['cat', path]),
    writeFiles: async (place, files) => {
      await run(place, ['bash', '-e'], { input: writeScript(files) });
    },
  };
}

/** The file of a pod's network namespace is named by this. */
export function podNetns(pod: PodKey): string {
  return `pod-${pod.replace('/', '.')}`;
}

export function isHost(place: string): place is LabHost {
  return (HOST_NAMES as readonly string[]).includes(place);
}

function namespacesOf(place: Place): string[] {
  if (place === 'guest') return [];
  if (!isHost(place)) return [`/run/netns/${podNetns(place)}`];
  return [`/run/netns/${place}`, `/run/ns/${place}.uts`, `/run/ns/${place}.mnt`];
}

function writeScript(files: Readonly<Record<string, string>>): string {
  return Object.entries(files)
    .map(([path, text]) => {
      const encoded = Buffer.from(text).toString('base64');
      return `mkdir -p "$(dirname '${path}')"\nbase64 -d > '${path}' <<'.'\n${encoded}\n.\n`;
    })
    .join('');
}
