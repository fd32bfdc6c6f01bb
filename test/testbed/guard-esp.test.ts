// The guard beside real ESP, in a guest of its own: the cases stand in in-guest/guard-esp.ts and run there as they are, with two
// hosts and pods as network namespaces of the guest's kernel.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startGuest, type Guest } from './lab/guest.ts';

const ROOT = join(import.meta.dirname, '../..');
/** For the slow guest of a loaded machine; a case that hangs is ended by its own time. */
const RUN_MS = 400_000;

/** What mocha's reporter `json` prints, as far as it is looked at. */
interface Report {
  readonly stats: { readonly tests: number; readonly passes: number; readonly pending: number };
  readonly failures: readonly { readonly fullTitle: string; readonly err: { readonly stack?: string } }[];
}

describe('the guard and ESP, in the guest', function () {
  this.timeout(RUN_MS + 120_000);
  let dir: string;
  let guest: Guest | undefined;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'guard-esp-'));
    guest = await startGuest({ dir, memoryMiB: 1024 });
  });

  after(async () => {
    await guest?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('passes all eight cases, none skipped', async () => {
    const mocha = [process.execPath, 'node_modules/mocha/bin/mocha.js', '--reporter', 'json'];
    const ran = await guest!.exec([], [...IN_ROOT, ...mocha, 'test/testbed/in-guest/guard-esp.ts'], {
      timeoutMs: RUN_MS,
    });
    const report = reportIn(ran.stdout);
    if (report === undefined) expect.fail(`no report:\n${ran.stdout}${ran.stderr}`);
    expect(report.failures.map(({ fullTitle, err }) => `${fullTitle}\n${err.stack ?? ''}`)).to.deep.equal([]);
    expect(report.stats).to.include({ tests: 8, passes: 8, pending: 0 });
    expect(ran.code).to.equal(0);
  });
});

/** The guest's server starts programs in its root. */
const IN_ROOT = ['sh', '-c', 'cd "$0" && exec "$@"', ROOT];

function reportIn(stdout: string): Report | undefined {
  const start = stdout.indexOf('{');
  return start < 0 ? undefined : (JSON.parse(stdout.slice(start)) as Report);
}
