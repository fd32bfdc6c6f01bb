// Kubeconfigs that speak as a service account with a real token, as a pod has it: bound to a pod on a Node, so that the API
// server sees the Node's name in it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { helmBinary, run } from './helm.ts';
import type { TestCluster } from './test-cluster.ts';

export interface TokenOptions {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The pod that it is bound to; bound to nothing when absent. */
  readonly pod?: string;
}

/** `kubectl` as an administrator; throws with what it says when it fails. */
export async function kubectl(
  cluster: TestCluster,
  args: readonly string[],
  input?: object | string,
): Promise<string> {
  const text = typeof input === 'object' ? JSON.stringify(input) : input;
  const { exitCode, stdout, stderr } = await run(
    helmBinary(4, 'kubectl'),
    ['--kubeconfig', cluster.adminKubeconfig, ...args],
    text,
  );
  if (exitCode !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Asks for a token and writes a kubeconfig with it; gives its path. */
export async function serviceAccountKubeconfig(cluster: TestCluster, options: TokenOptions): Promise<string> {
  const { namespace, serviceAccount, pod } = options;
  const token = await kubectl(cluster, [
    ...['create', 'token', serviceAccount, '--namespace', namespace],
    ...(pod === undefined ? [] : ['--bound-object-kind', 'Pod', '--bound-object-name', pod]),
  ]);
  const path = join(cluster.dir, `${serviceAccount}-${pod ?? 'unbound'}.kubeconfig`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server: cluster.url, 'certificate-authority': cluster.caFile } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    users: [{ name: 'test', user: { token: token.trim() } }],
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}
