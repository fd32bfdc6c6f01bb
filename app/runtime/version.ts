// Which release is this? Written into the bundle by scripts/bundle.ts, out of metadata.yaml.

declare const OPERATOR_VERSION: string | undefined;

/** `1.0-1`; `development` when run from the sources. */
export function operatorVersion(): string {
  return typeof OPERATOR_VERSION === 'string' ? OPERATOR_VERSION : 'development';
}
