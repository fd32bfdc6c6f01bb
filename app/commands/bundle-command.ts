// `support-bundle`: everything that a bug report needs, in one file, without keys. What is in it: collect-bundle.ts.
import { lstat, open, unlink } from 'node:fs/promises';
import { FileError } from '../runtime/errors.ts';
import { archive } from './archive.ts';
import { COMMON_OPTIONS, readArguments, type Expected } from './arguments.ts';
import { collectBundle } from './collect-bundle.ts';
import { CannotTellError } from './command-errors.ts';
import { oneLine } from './table.ts';
import { clientOf, namespaceOf, progressOf, type Surroundings } from './surroundings.ts';

const EXPECTED: Expected = {
  options: { ...COMMON_OPTIONS, output: { value: 'FILE', short: 'o' } },
  words: [],
  usage: 'support-bundle [-o FILE.tar.gz, - for standard output] [--kubeconfig FILE] [-n NAMESPACE]',
};

const DEFAULT_FILE = 'ipsec-policy-support.tar.gz';

/** Gives 0 with all of it, 2 when something could not be had. Throws UsageError, CannotTellError, FileError. */
export async function runBundle(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { stdout, stderr, clock } = surroundings;
  const args = readArguments(words, EXPECTED);
  const file = args.value('output') ?? DEFAULT_FILE;
  if (file !== '-') await refuseExisting(file);
  const client = clientOf(args, surroundings);
  const progress = progressOf(surroundings);
  try {
    const { files, missing } = await collectBundle({
      client,
      namespace: namespaceOf(args, surroundings),
      nowMs: clock.now(),
      onProgress: progress.step,
    });
    progress.end();
    for (const line of missing) stderr.write(`left out: ${oneLine(line)}\n`);
    if (files.size <= 1) throw new CannotTellError('nothing could be read, so there is no bundle');
    const bytes = archive(files);
    if (file === '-') stdout.write(bytes);
    else await save(file, bytes);
    stderr.write(
      `${file === '-' ? '' : `${file}: `}${files.size} files, ${Math.ceil(bytes.length / 1024)} KiB\n`,
    );
    return missing.length === 0 ? 0 : 2;
  } finally {
    progress.end();
    await client.close();
  }
}

/** Before minutes are spent on what could then not be kept. */
async function refuseExisting(file: string): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  if (found !== undefined) throw new FileError(`${file} is there already; name another file with -o`);
}

/** For the caller alone: it names hosts, addresses and pods. An older one is never overwritten, and nothing is left of a failure. */
async function save(file: string, bytes: Buffer): Promise<void> {
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(bytes);
    } catch (error) {
      await unlink(file);
      throw error;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new FileError(`cannot write ${file}; name another file with -o`, error);
  }
}
