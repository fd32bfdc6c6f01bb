import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../support/helm.ts';

const ROOT = join(import.meta.dirname, '../..');
const MEGABYTE = 1e6;

interface Sbom {
  readonly bomFormat: string;
  readonly metadata: { readonly component: { readonly version: string } };
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly purl: string;
    readonly hashes?: readonly { readonly content: string }[];
  }[];
}

interface OciConfig {
  readonly process: { terminal: boolean; args: string[]; user: unknown; env: string[]; capabilities: object };
  readonly root: { readonly: boolean };
}

/** The tarball as the platform gets it: built twice, unpacked, and its image started. */
describe('package', function () {
  this.timeout(300_000);
  let dir: string;
  let tarball: string;
  let unpacked: string;
  let bundle: string;

  const must = async (command: string, ...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(command, args);
    if (exitCode !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const pack = async (out: string, before: string): Promise<string> =>
    (await must('bash', '-c', `${before}; exec ${join(ROOT, 'scripts/package')} ${out}`)).trim();
  const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
  /** Runs a program of the image as the chart has it: no capability, read-only root, nobody. */
  const runInImage = async (...args: string[]): Promise<{ exitCode: number; output: string }> => {
    const path = join(bundle, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as OciConfig;
    Object.assign(config.process, { terminal: false, args, capabilities: {} });
    config.root.readonly = true;
    writeFileSync(path, JSON.stringify(config));
    const id = `package-test-${process.pid}-${performance.now().toFixed(0)}`;
    const { exitCode, stdout, stderr } = await run('runc', ['run', '--bundle', bundle, id]);
    return { exitCode, output: stdout + stderr };
  };

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'package-'));
    tarball = await pack(join(dir, 'first'), 'true');
    unpacked = join(dir, 'unpacked');
    mkdirSync(unpacked);
    await must('tar', '-xf', tarball, '-C', unpacked);
    const archive = join(unpacked, 'image/ipsec-policy-operator.tar');
    bundle = join(dir, 'bundle');
    await must('skopeo', '--insecure-policy', 'copy', `docker-archive:${archive}`, `oci:${dir}/oci:image`);
    await must('umoci', 'unpack', '--image', `${dir}/oci:image`, bundle);
  });

  after(() => rmSync(dir, { recursive: true, force: true }));

  it('has the same bytes under another umask, time zone, language and folder', async () => {
    const again = await pack(join(dir, 'second'), 'cd /; umask 077; export TZ=Asia/Tokyo LC_ALL=C.UTF-8');
    expect(sha256(again)).to.equal(sha256(tarball));
  });

  it('has the sums of all its files', async () => {
    const { exitCode, stderr } = await run('bash', [
      '-c',
      `cd ${unpacked} && md5sum --check --strict --quiet checksum.md5`,
    ]);
    expect(exitCode, stderr).to.equal(0);
  });

  it('has a chart with its version everywhere', async () => {
    const charts = readdirSync(join(unpacked, 'charts'));
    const version = /^app_version: '(.*?)'/m.exec(readFileSync(join(unpacked, 'metadata.yaml'), 'utf8'))![1]!;
    expect(charts).to.deep.equal([`ipsec-policy-operator-${version.replace('-', '.')}.tgz`]);
    const chart = join(unpacked, 'charts', charts[0]!);
    const text = await must('tar', '-xOf', chart, 'ipsec-policy-operator/values.yaml');
    expect(text.match(new RegExp(`tag: '${version}'`, 'g'))).to.have.length(2);
    expect(await must('tar', '-tf', chart)).not.to.contain('helmignore');
  });

  it('has an image within its size', async () => {
    const kilobytes = await must('du', '--apparent-size', '--block-size=1000', '-s', `${bundle}/rootfs`);
    expect(Number.parseInt(kilobytes, 10) * 1000).to.be.below(125 * MEGABYTE);
    const archive = readFileSync(tarball).byteLength;
    expect(archive).to.be.below(48 * MEGABYTE);
  });

  it('has an image with no shell and nothing that gains rights', async () => {
    const files = (await must('find', `${bundle}/rootfs`, '-type', 'f', '-printf', '%P %m\n')).split('\n');
    const programs = files.filter((file) => /(^|\/)s?bin\//.test(file));
    expect(programs.sort()).to.deep.equal(['usr/bin/node 755', 'usr/sbin/nft 755']);
    expect(files.filter((file) => /[4267]\d{3}$/.test(file))).to.deep.equal([]);
  });

  it('has an image that runs: our program and nft, without rights', async () => {
    const program = ['/usr/bin/node', '/opt/ipsec-policy-operator/ipsec-policy-operator.mjs'];
    expect(await runInImage(...program)).to.deep.include({ exitCode: 64 });
    const { exitCode, output } = await runInImage(...program, 'agent');
    expect(exitCode).to.equal(1);
    expect(output).to.contain('NODE_NAME');
    expect((await runInImage('/usr/sbin/nft', '--version')).output).to.contain('nftables v');
  });

  it('has a bill of what is in the image, npm and Debian, with sums', () => {
    const [file] = readdirSync(join(unpacked, 'sbom'));
    const sbom = JSON.parse(readFileSync(join(unpacked, 'sbom', file!), 'utf8')) as Sbom;
    const names = sbom.components.map(({ name }) => name);
    expect(sbom.bomFormat).to.equal('CycloneDX');
    expect(names).to.include.members([
      '@kubernetes/client-node',
      'handlebars',
      'nodejs',
      'libc6',
      'nftables',
    ]);
    expect(names).not.to.include.oneOf(['mocha', 'typescript', 'esbuild']);
    expect(new Set(names).size).to.equal(names.length);
    for (const { name, purl, hashes } of sbom.components)
      if (name !== 'nodejs') expect(hashes?.[0]?.content, purl).to.match(/^([0-9a-f]{64}|[0-9a-f]{128})$/);
  });

  it('has the licences of what is in the image', () => {
    const doc = join(bundle, 'rootfs/usr/share/doc');
    expect(readdirSync(doc)).to.include.members(['nodejs', 'libc6', 'nftables', 'gcc-12-base']);
    const ours = readFileSync(join(doc, 'ipsec-policy-operator/copyright'), 'utf8');
    expect(ours).to.contain('== handlebars ').and.to.contain('== undici ');
  });
});
