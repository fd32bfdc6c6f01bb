// The application's tarball as the platform gets it: made once for a suite, unpacked as the framework unpacks it, its image as it
// lies in it. Which values and manifests of it are used, and how, is the suite's business.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { unpackedImage, type UnpackedImage } from './unpacked-image.ts';

const PACKAGE = join(import.meta.dirname, '../../../scripts/package');

export interface Application {
  /** The packed chart. */
  readonly chart: string;
  /** Folder of the Flux manifests. */
  readonly manifests: string;
  readonly staticOverrides: string;
  readonly image: UnpackedImage;
  /** With the tag, as its archive has it. */
  readonly imageName: string;
}

/** Some half a minute, in which nothing else of this process runs: before a lab is started. */
export function packagedApplication(dir: string): Application {
  const tarball = execFileSync(PACKAGE, [dir], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
  const folder = join(dir, 'unpacked');
  mkdirSync(folder);
  execFileSync('tar', ['-xzf', tarball, '-C', folder]);
  const only = (name: string): string => join(folder, name, readdirSync(join(folder, name))[0] ?? '');
  const manifest = execFileSync('tar', ['-xOf', only('image'), 'manifest.json'], { encoding: 'utf8' });
  const [entry] = JSON.parse(manifest) as { readonly RepoTags: readonly string[] }[];
  const name = entry?.RepoTags[0];
  if (name === undefined) throw new Error(`the image in ${tarball} has no name`);
  return {
    chart: only('charts'),
    manifests: join(folder, 'fluxcd-manifests'),
    staticOverrides: join(
      folder,
      'fluxcd-manifests/ipsec-policy-operator/ipsec-policy-operator-static-overrides.yaml',
    ),
    image: unpackedImage(tarball),
    imageName: name,
  };
}
