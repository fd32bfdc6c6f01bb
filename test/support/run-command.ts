// A command of our program that ends by itself, out of the sources: what it prints and its exit code.
import { execFile } from 'node:child_process';
import { join } from 'node:path';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const MAIN = join(import.meta.dirname, '../../app/bin/main.ts');

/** Its environment is `env` and the PATH alone. */
export function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  program: readonly string[] = [process.execPath, MAIN],
): Promise<Ended> {
  const [command = '', ...first] = program;
  return new Promise((resolve) => {
    execFile(
      command,
      [...first, ...args],
      { env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) =>
        resolve({
          code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1,
          stdout,
          stderr,
        }),
    );
  });
}
