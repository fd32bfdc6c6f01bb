// All benchmarks, one after the other, with the bundle built anew. `npm run bench` takes under a minute with small settings;
// `npm run bench -- --full` has the sizes that figures are promised for. JSON lines on standard output.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const full = process.argv.includes('--full');

const RUNS: readonly (readonly string[])[] = [
  ['scripts/bundle.ts'],
  ['test/bench/manager.ts', ...(full ? ['--full'] : [])],
  ['test/bench/agent.ts', ...(full ? ['--full'] : [])],
  ['test/bench/vici-load.ts', full ? '1000' : '200', '6'],
  ['test/bench/guard.ts', full ? '10000' : '1000'],
];

for (const args of RUNS) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
