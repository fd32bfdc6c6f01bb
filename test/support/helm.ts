// helm of both majors and kubectl, as scripts/setup-helm has brought them into the cache.
import { execFile, type ExecFileException } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';

export const CHART = join(import.meta.dirname, '../../charts/ipsec-policy-operator');
export const RELEASE = 'ipsec-policy-operator';
export const MAJORS = [3, 4] as const;
export type Major = (typeof MAJORS)[number];

/** An object as helm renders it. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
}

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Path of `helm` or `kubectl` of a major; throws when scripts/setup-helm has not run. */
export function helmBinary(major: Major, name: 'helm' | 'kubectl' = 'helm'): string {
  const cache = process.env['IPSEC_CACHE'] ?? join(homedir(), '.cache', 'ipsec-policy-operator');
  const folder = existsSync(cache)
    ? readdirSync(cache).find((entry) => new RegExp(`^helm-${major}\\.[0-9.]+$`).test(entry))
    : undefined;
  if (folder === undefined)
    throw new Error(`helm ${major} is not in ${cache}: run scripts/setup-helm ${major} first`);
  return join(cache, folder, name);
}

/** Runs it to its end; a failure is an outcome. */
export function run(command: string, args: readonly string[], input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { maxBuffer: 64_000_000 }, (error, stdout, stderr) =>
      resolve({ exitCode: exitCodeOf(error), stdout, stderr }),
    );
    // A program that ends without reading its input breaks the pipe: its exit code says how it went.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

function exitCodeOf(error: ExecFileException | null): number {
  if (error === null) return 0;
  return typeof error.code === 'number' ? error.code : 1;
}

export interface TemplateOptions {
  readonly major?: Major;
  readonly kubeVersion?: string;
  /** Whether the cluster has ValidatingAdmissionPolicies (1.30 on). */
  readonly hasAdmissionPolicies?: boolean;
  readonly args?: readonly string[];
}

/** `helm template` of the chart for the release and namespace that it always has. */
export function template(options: TemplateOptions = {}): Promise<Outcome> {
  const { major = 3, kubeVersion = '1.34.4', hasAdmissionPolicies = true, args = [] } = options;
  return run(helmBinary(major), [
    ...['template', RELEASE, CHART, '--namespace', RELEASE, '--kube-version', kubeVersion],
    ...(hasAdmissionPolicies
      ? ['--api-versions', 'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy']
      : []),
    ...args,
  ]);
}

/** Rendered objects; throws with helm's own words when it refuses. */
export async function renderedObjects(options: TemplateOptions = {}): Promise<readonly Rendered[]> {
  const { exitCode, stdout, stderr } = await template(options);
  if (exitCode !== 0) throw new Error(`helm template: ${stderr}`);
  return loadAll(stdout).filter((object) => object !== null && object !== undefined) as Rendered[];
}
