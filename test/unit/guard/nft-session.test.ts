import { expect } from 'chai';
import { nftSession, type NftSession } from '../../../app/guard/nft-session.ts';
import { GuardError, nftProgram } from '../../../app/guard/nft.ts';

/** A program in nft's place that reads lines; `say` answers each by its words. */
const shell = (say: string, timeoutMs = 5_000): NftSession =>
  nftSession(nftProgram({ command: ['sh', '-c', 'cat >/dev/null; exit 1'] }), {
    command: [
      'sh',
      '-c',
      `while read -r line; do case "$line" in ${say} "list tables netdev") echo last;; esac; done`,
    ],
    timeoutMs,
  });

// What the real nft answers: test/integration/guard-changes.test.ts.
describe('nftSession', () => {
  let nft: NftSession;
  afterEach(() => nft.close());

  it('asks one program for all, one after the other', async () => {
    nft = shell('list*x) echo "$$ $line";;');
    const [first, second] = await Promise.all([nft.list('table', 'inet', 'x'), nft.list('x')]);
    const [pid, ...words] = first.trim().split(' ');
    expect(words.join(' ')).to.equal('list table inet x');
    expect(second).to.equal(`${pid} list x\n`);
  });

  it('makes one line of a transaction, and is silent when there is none', async () => {
    nft = shell('"add a; add b") ;; *add*) echo "Error: $line" >&2;;');
    await nft.apply('add a\nadd b\n');
    await nft.apply('');
    expect(await failed(nft.apply('add c\n'))).to.equal('refused: nft: Error: add c');
  });

  it('is not put out of step by an error', async () => {
    nft = shell('list*gone) echo "Error: No such file or directory" >&2;; list*x) echo "it is $line";;');
    expect(await failed(nft.list('gone'))).to.contain('refused');
    expect(await nft.list('x')).to.equal('it is list x\n');
  });

  it('gives what is large to a program of its own', async () => {
    nft = shell('*) echo "$line";;');
    expect(await failed(nft.apply(`add ${'x'.repeat(16_000)}\n`))).to.equal('refused: nft: ');
  });

  it('starts anew after a program that hangs, and after one that ended', async () => {
    nft = shell('list*hang) sleep 60;; list*end) exit 3;; list*x) echo fine;;', 300);
    expect(await failed(nft.list('hang'))).to.contain('timeout');
    expect(await nft.list('x')).to.equal('fine\n');
    expect(await failed(nft.list('end'))).to.equal('refused: nft ended');
    expect(await nft.list('x')).to.equal('fine\n');
  });

  for (const why of ['Cannot read termcap database', 'No entry for terminal type "unknown"'])
    it(`takes "${why}" for no complaint`, async () => {
      nft = shell(`list*x) printf '${why};\\nusing dumb terminal settings.\\n' >&2; sleep 0.1; echo fine;;`);
      expect(await nft.list('x')).to.equal('fine\n');
    });

  it('does not wait for the answer of one that only complains', async () => {
    nft = shell('*) echo "Error: Operation not permitted (you must be root)" >&2;;');
    expect(await failed(nft.list('tables'))).to.contain('permission');
    expect(await failed(nft.list('tables'))).to.contain('permission');
  });

  it('starts anew after a thousand requests, without losing one', async () => {
    nft = shell('list*x) echo "$$";;');
    const pids = new Set<string>();
    for (let request = 0; request < 1001; request += 1) pids.add(await nft.list('x'));
    expect(pids.size).to.equal(2);
  });

  it('says that there is no nft', async () => {
    nft = nftSession(nftProgram(), { command: ['/nonexistent/nft'] });
    expect(await failed(nft.list('tables'))).to.contain('missing');
    expect(await failed(nft.list('tables'))).to.contain('missing');
  });
});

async function failed(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    if (!(error instanceof GuardError)) throw error;
    return `${error.failure}: ${error.message}`;
  }
}
