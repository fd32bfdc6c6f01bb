import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  confFile,
  readConfFile,
  readConfText,
  removeConfFile,
  writeConfFile,
} from '../../../app/host/conf-file.ts';
import { FileError } from '../../../app/runtime/errors.ts';
import { config, DNS_EGRESS, METRICS_EGRESS, peer } from '../../support/host-configs.ts';

const ONE = config(peer('controller-1', [DNS_EGRESS]));
const TWO = config(peer('controller-1', [DNS_EGRESS, METRICS_EGRESS]));

describe('the conf file on disk', () => {
  let directory = '';
  let path = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'conf-file-'));
    path = join(directory, 'k8s-nodes.conf');
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('is absent, then what was written, then replaced, then absent', async () => {
    expect(await readConfFile(path)).to.equal(undefined);
    await writeConfFile(path, ONE);
    expect(await readConfFile(path)).to.deep.equal(ONE);
    await writeConfFile(path, TWO);
    expect(await readConfFile(path)).to.deep.equal(TWO);
    await removeConfFile(path);
    await removeConfFile(path);
    expect(await readdir(directory)).to.deep.equal([]);
  });

  it('is for its owner only, and alone in its directory', async () => {
    await writeConfFile(path, ONE);
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    expect(await readdir(directory)).to.deep.equal(['k8s-nodes.conf']);
  });

  it('stays as it was when what should be written would not be read back', async () => {
    await writeConfFile(path, ONE);
    const before = await readFile(path, 'utf8');
    const hostile = config(
      peer('controller-1', [DNS_EGRESS], { localCommonName: 'ipsec-x"\n    updown = /bin/sh\n    id = "' }),
    );
    const error = await writeConfFile(path, hostile).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(FileError);
    expect(await readFile(path, 'utf8')).to.equal(before);
    expect(await readdir(directory)).to.deep.equal(['k8s-nodes.conf']);
  });

  it('is written beside what a crash left, and never through a link', async () => {
    const elsewhere = join(directory, 'elsewhere');
    await writeFile(elsewhere, 'precious');
    await symlink(elsewhere, `${path}.new`);
    await writeConfFile(path, ONE);
    expect(await readFile(elsewhere, 'utf8')).to.equal('precious');
    expect(await readConfFile(path)).to.deep.equal(ONE);
  });

  it('says why it cannot be understood', async () => {
    await writeFile(path, 'connections {\n');
    expect(await readConfFile(path)).to.deep.equal({
      unreadable: 'line 1: section "connections" is not closed',
    });
    expect(await readConfText(path)).to.equal('connections {\n');
  });

  it('is parsed again when somebody else has changed it, and only then', async () => {
    const file = confFile(path);
    await file.write(ONE);
    expect(await file.read()).to.equal(ONE);
    await writeConfFile(path, TWO);
    const changed = await file.read();
    expect(changed).to.deep.equal(TWO);
    expect(await file.read()).to.equal(changed);
    await file.remove();
    expect(await file.read()).to.equal(undefined);
  });

  it('fails with the path when the directory is not there', async () => {
    const missing = join(directory, 'none', 'k8s-nodes.conf');
    const error = await writeConfFile(missing, ONE).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(FileError).with.property('message').that.contains(missing);
  });
});
