import { expect } from 'chai';
import { GuardError, nftProgram } from '../../../app/guard/nft.ts';

/** A program in nft's place; its script sees the same input and arguments. */
const shell = (script: string, timeoutMs = 60_000): ReturnType<typeof nftProgram> =>
  nftProgram({ command: ['sh', '-c', script, 'nft'], timeoutMs });

describe('nftProgram', () => {
  it('gives commands on standard input, and asks for JSON with numbers', async () => {
    expect(await shell('echo "$*"').list('table', 'inet', 'x')).to.equal(
      '--json --numeric list table inet x\n',
    );
    await shell('test "$*" = "--file -" && test "$(cat)" = "add table inet x"').apply('add table inet x\n');
  });

  it('takes large input and output', async () => {
    await shell('test "$(wc -c)" = 3000000').apply('x'.repeat(3_000_000));
    expect(await shell('head -c 3000000 /dev/zero').list('tables')).to.have.lengthOf(3_000_000);
  });

  it('survives a program that does not read its input', async () => {
    await shell('exec true').apply('x'.repeat(3_000_000));
  });

  for (const { says, failure } of [
    {
      says: 'Error: Could not process rule: Operation not supported\\nadd table inet x',
      failure: 'unsupported soon',
    },
    {
      says: 'netlink.c:77: Unable to initialize Netlink socket: Protocol not supported',
      failure: 'unsupported soon',
    },
    {
      says: '/dev/stdin:2:1-9: Error: Could not process rule: No such file or directory\\nadd rule inet x y ct state new',
      failure: 'unsupported soon',
    },
    {
      says: 'Error: Could not process rule: No such file or directory\\ndelete element inet x y { 1 }',
      failure: 'refused soon',
    },
    {
      says: 'Error: Could not process rule: Operation not permitted (you must be root)',
      failure: 'permission on-change',
    },
    { says: 'Error: syntax error, unexpected newline', failure: 'refused soon' },
  ])
    it(`calls it ${failure} when nft says "${says.slice(0, 60)}"`, async () => {
      expect(await failed(shell(`printf '${says}\\n' >&2; exit 1`).apply(''))).to.equal(failure);
    });

  it('ends a program that hangs', async () => {
    expect(await failed(shell('exec sleep 60', 50).list('tables'))).to.equal('timeout soon');
  });

  it('says that there is no nft', async () => {
    expect(await failed(nftProgram({ command: ['/nonexistent/nft'] }).apply(''))).to.equal(
      'missing on-change',
    );
  });
});

async function failed(running: Promise<unknown>): Promise<string> {
  try {
    await running;
    return 'nothing failed';
  } catch (error) {
    if (!(error instanceof GuardError)) throw error;
    return `${error.failure} ${error.retry}`;
  }
}
