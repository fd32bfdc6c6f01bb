// The packaged image, unpacked once by umoci, as a value. What a container of it may do is container-config.ts's business.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const SCRIPT = join(import.meta.dirname, '../../../scripts/unpack-image');

/** What umoci reads out of the image's own configuration, of which we take what we name. */
export interface OciConfig {
  readonly process: {
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly [field: string]: unknown;
  };
  readonly mounts: readonly OciMount[];
  readonly linux: {
    readonly namespaces: readonly { readonly type: string }[];
    readonly resources?: object;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options?: readonly string[];
}

export interface UnpackedImage {
  /** Seen by the guest under the same path. */
  readonly rootfs: string;
  readonly config: OciConfig;
}

/**
 * Of the bundle, or out of an application's tarball. Some milliseconds; half a minute when the bundle or the packages have changed.
 * Throws with what the script said.
 */
export function unpackedImage(tarball?: string): UnpackedImage {
  const args = tarball === undefined ? [] : [tarball];
  const folder = execFileSync(SCRIPT, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as OciConfig;
  return { rootfs: join(folder, 'rootfs'), config };
}
