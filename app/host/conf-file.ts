// Our file in strongSwan's conf.d: read it, replace it whole or not at all, take it away. What stands in it is made by
// swanctl/conf-text.ts; when it is written is decided by swanctl/diff.ts.
//
// Not write-file-atomic: it neither syncs the directory nor lets us look at the written file before it is renamed. A file
// that strongSwan cannot read makes a platform `--load-all` unload the platform's own connections, so what was written is
// read back from the disk by our own parser, and must be what was meant, before it gets the name that is included.
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { HostConfig } from '../domain/host-config.ts';
import { FileError } from '../runtime/errors.ts';
import { parseConfText } from '../swanctl/conf-parse.ts';
import { confText } from '../swanctl/conf-text.ts';
import type { FileState } from '../swanctl/load-plan.ts';

/** Where the platform's swanctl.conf includes it from (`include conf.d/*.conf`). */
export const CONF_FILE = '/etc/swanctl/conf.d/k8s-nodes.conf';

/** Beside the file, on the same file system; does not match `*.conf`, and one name only, so that a crash leaves no litter. */
function temporary(path: string): string {
  return `${path}.new`;
}

/** The file's bytes, or undefined when there is none. Throws FileError. */
export async function readConfText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw new FileError(`cannot read ${path}`, error);
  }
}

/** What the file says, as diff.ts wants it. Throws FileError when it is there and cannot be read at all. */
export async function readConfFile(path: string): Promise<FileState> {
  const text = await readConfText(path);
  return text === undefined ? undefined : stateOf(text);
}

function stateOf(text: string): FileState {
  const parsed = parseConfText(text);
  return 'config' in parsed ? parsed.config : { unreadable: parsed.error };
}

export interface ConfFile {
  read(): Promise<FileState>;
  write(config: HostConfig): Promise<void>;
  remove(): Promise<void>;
}

/** The file at `path` for a program that looks at it again and again: parsed only when its bytes are others than before. */
export function confFile(path: string): ConfFile {
  let known: { readonly text: string; readonly state: FileState } | undefined;
  return {
    read: async () => {
      const text = await readConfText(path);
      if (text === undefined) return undefined;
      if (known?.text !== text) known = { text, state: stateOf(text) };
      return known.state;
    },
    write: async (config) => {
      known = { text: await writeConfFile(path, config), state: config };
    },
    remove: () => removeConfFile(path),
  };
}

/**
 * Replaces the file by this configuration, for root's eyes only, and gives its text. Throws FileError; the old file then
 * stands as it was.
 */
export async function writeConfFile(path: string, config: HostConfig): Promise<string> {
  const text = confText(config);
  try {
    await writeSynced(temporary(path), text, () => check(text, config));
    if ((await readFile(temporary(path), 'utf8')) !== text)
      throw new Error('the disk gives back something else');
    await rename(temporary(path), path);
    await syncDirectory(path);
    return text;
  } catch (error) {
    await rm(temporary(path), { force: true }).catch(() => undefined);
    throw new FileError(`cannot write ${path}`, error);
  }
}

/** Takes the file away; none there is fine. Throws FileError. */
export async function removeConfFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
    await syncDirectory(path);
  } catch (error) {
    throw new FileError(`cannot remove ${path}`, error);
  }
}

/** While the disk works, `meanwhile` does; what it throws counts. */
async function writeSynced(path: string, text: string, meanwhile: () => void): Promise<void> {
  // A left-over of a crash, or a link that someone put there, is removed, never written through.
  await rm(path, { force: true });
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    const synced = file.sync();
    // Its failure is looked at below, also when `meanwhile` throws first.
    synced.catch(() => undefined);
    meanwhile();
    await synced;
  } finally {
    await file.close();
  }
}

/** What would be read from this text must be what was meant, or it never gets the name that is included. */
function check(text: string, config: HostConfig): void {
  const parsed = parseConfText(text);
  if ('error' in parsed) throw new Error(`what was written cannot be read back: ${parsed.error}`);
  if (!isDeepStrictEqual(parsed.config, config)) throw new Error('what was written is not what was meant');
}

/** So that the rename itself survives a power cut. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
