// What is in the image? A CycloneDX 1.5 list of the npm packages that really ended up in the bundle, of Node and of the Debian
// packages, and one file with the licences of the npm ones. Without times and serial numbers: same input, same bytes.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');

interface Component {
  readonly type: 'library' | 'platform' | 'application';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly { readonly license: { readonly id: string } }[];
  readonly hashes?: readonly { readonly alg: 'SHA-512' | 'SHA-256'; readonly content: string }[];
}

interface Metafile {
  readonly outputs: Readonly<
    Record<string, { readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>> }>
  >;
}

interface NpmPackage {
  /** From the root of the repository: `node_modules/a/node_modules/b`. */
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/** Packages with at least one byte in the bundle, sorted by folder. */
function bundledPackages(metafile: Metafile): NpmPackage[] {
  const inputs = Object.values(metafile.outputs).flatMap((output) =>
    Object.entries(output.inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  const folders = inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  return [...new Set(folders)].sort().map((folder) => {
    const read = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as NpmPackage;
    return { folder, name: read.name, version: read.version, license: read.license };
  });
}

function npmComponents(packages: readonly NpmPackage[]): Component[] {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { integrity?: string }>;
  };
  return packages.map(({ folder, name, version, license }) => {
    const [algorithm, sum = ''] = (lock.packages[folder]?.integrity ?? '').split('-');
    if (algorithm !== 'sha512') throw new Error(`package-lock.json has no sha512 of ${folder}`);
    const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
    return {
      type: 'library',
      'bom-ref': purl,
      name,
      version,
      purl,
      licenses: [{ license: { id: license } }],
      hashes: [{ alg: 'SHA-512', content: Buffer.from(sum, 'base64').toString('hex') }],
    };
  });
}

/** Debian packages, from `dpkg-deb -f` of each: control files `<package>.control` in a folder. */
function debianComponents(folder: string, pins: string): Component[] {
  const sums = new Map(
    pins
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(' ') as [string, string, string])
      .map(([name, , sum]) => [name, sum]),
  );
  const files = readdirSync(folder).filter((file) => file.endsWith('.control'));
  return files.sort().map((file) => {
    const control = readFileSync(join(folder, file), 'utf8');
    const field = (key: string): string => new RegExp(`^${key}: (.*)$`, 'm').exec(control)?.[1] ?? '';
    const [name, version] = [field('Package'), field('Version')];
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${field('Architecture')}`;
    const content = sums.get(name);
    if (content === undefined) throw new Error(`${name} is not pinned`);
    return {
      type: 'library',
      'bom-ref': purl,
      name,
      version,
      purl,
      hashes: [{ alg: 'SHA-256', content }],
    };
  });
}

function nodeComponent(): Component {
  const version = process.versions.node;
  const purl = `pkg:generic/nodejs@${version}`;
  const licenses = [{ license: { id: 'MIT' } }];
  return { type: 'platform', 'bom-ref': purl, name: 'nodejs', version, purl, licenses };
}

/** The licence texts, which have to go where the code goes. A package without a file of its own is named with its licence. */
function licenceTexts(packages: readonly NpmPackage[]): string {
  const parts = packages.map(({ folder, name, version, license }) => {
    const file = readdirSync(join(ROOT, folder)).find((entry) => /^(licen[cs]e|copying)(\.|$)/i.test(entry));
    const text = file === undefined ? '' : readFileSync(join(ROOT, folder, file), 'utf8').trim();
    return `== ${name} ${version} (${license})\n\n${text}\n`;
  });
  return `ipsec-policy-operator is licensed under Apache-2.0. It contains:\n\n${parts.join('\n')}`;
}

function billOfMaterials(version: string, components: readonly Component[]): object {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': 'ipsec-policy-operator',
        name: 'ipsec-policy-operator',
        version,
        licenses: [{ license: { id: 'Apache-2.0' } }],
      },
    },
    components,
    dependencies: [
      { ref: 'ipsec-policy-operator', dependsOn: components.map((component) => component['bom-ref']) },
    ],
  };
}

const { values } = parseArgs({
  options: {
    version: { type: 'string' },
    metafile: { type: 'string' },
    debian: { type: 'string' },
    sbom: { type: 'string' },
    licences: { type: 'string' },
  },
});
const { version, metafile, debian, sbom, licences } = values;
if (!version || !metafile || !debian || !sbom || !licences)
  throw new Error(
    'usage: bill-of-materials.ts --version V --metafile FILE --debian FOLDER --sbom FILE --licences FILE',
  );
const packages = bundledPackages(JSON.parse(readFileSync(metafile, 'utf8')) as Metafile);
const pins = readFileSync(join(ROOT, 'scripts/image-packages.txt'), 'utf8');
const components = [...npmComponents(packages), nodeComponent(), ...debianComponents(debian, pins)];
writeFileSync(sbom, `${JSON.stringify(billOfMaterials(version, components), undefined, 2)}\n`);
writeFileSync(licences, licenceTexts(packages));
process.stderr.write(
  `sbom: ${packages.length} npm packages, ${components.length - packages.length} others\n`,
);
