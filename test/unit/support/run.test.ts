// Programs that tests run end as they end, also when they do not read what they are given.
import { expect } from 'chai';
import { run } from '../../support/helm.ts';

describe('run', () => {
  it('takes a program that never reads its input as it ends', async () => {
    expect(await run('true', [], 'x'.repeat(1_000_000))).to.deep.equal({
      exitCode: 0,
      stdout: '',
      stderr: '',
    });
  });

  it('has the exit code and words of a failure', async () => {
    const { exitCode, stderr } = await run('ls', ['/does/not/exist']);
    expect(exitCode).to.equal(2);
    expect(stderr).to.contain('No such file');
  });
});
