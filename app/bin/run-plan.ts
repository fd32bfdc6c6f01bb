// `plan FILE` as a command: reads the dump, prints what plan-command.ts makes of it, and says by its exit code whether all is
// well, so that a pipeline can stop a policy that would not be protected.
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { describeError, FileError } from '../runtime/errors.ts';
import { planFromDump } from './plan-command.ts';
import { DumpError } from './read-dump.ts';

/** sysexits.h: the input cannot be read, or is none. */
const EX_NOINPUT = 66;

/** 0 when all that the policies ask for is protected, 1 when not, 66 when the file (`-` is stdin) is no dump of a cluster. */
export async function runPlan(file: string): Promise<number> {
  try {
    const plan = planFromDump(await readDumpFile(file));
    process.stdout.write(plan.text);
    if (plan.problems === 0) return 0;
    const problems = plan.problems === 1 ? 'problem' : 'problems';
    process.stderr.write(`${plan.problems} ${problems}: see the lines with # in what was printed\n`);
    return 1;
  } catch (error) {
    if (!(error instanceof DumpError || error instanceof FileError)) throw error;
    process.stderr.write(`error: ${describeError(error)}\n`);
    return EX_NOINPUT;
  }
}

async function readDumpFile(file: string): Promise<string> {
  try {
    return file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new FileError(`cannot read ${file}`, error);
  }
}
