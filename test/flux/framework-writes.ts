// What the platform's framework writes into the manifests of an unpacked tarball before it hands them to Flux: where its chart
// repository is, its registry before each image, the overrides, no suspension. Read in its sources; nothing of it is run here.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';

export interface FrameworkWrites {
  /** `host:port` of the chart repository. */
  readonly chartHost: string;
  /** Before every image's name. */
  readonly registry: string;
  /** Of the plugin and of the operator. */
  readonly systemOverrides: object;
}

/** Copies the manifests into a new folder, as the framework leaves them. */
export function writeAsFramework(manifests: string, folder: string, writes: FrameworkWrites): void {
  cpSync(manifests, folder, { recursive: true });
  const release = join(folder, 'ipsec-policy-operator');
  change(join(folder, 'base/helmrepository.yaml'), (text) =>
    text.replace(/^( *url: http:\/\/)[^/]+/m, `$1${writes.chartHost}`),
  );
  change(join(release, 'ipsec-policy-operator-static-overrides.yaml'), (text) =>
    text.replaceAll(/^( *repository: )/gm, `$1${writes.registry}`),
  );
  // It reads the release and writes it again, without its comments.
  change(join(release, 'helmrelease.yaml'), (text) => {
    const object = load(text) as { spec: object };
    return dump({ ...object, spec: { ...object.spec, suspend: false } });
  });
  writeFileSync(join(release, 'ipsec-policy-operator-system-overrides.yaml'), dump(writes.systemOverrides));
}

function change(file: string, edit: (text: string) => string): void {
  const text = readFileSync(file, 'utf8');
  const edited = edit(text);
  if (edited === text) throw new Error(`${file}: nothing there to write over`);
  writeFileSync(file, edited);
}
