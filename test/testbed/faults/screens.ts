// What a person's commands print while a fault lasts, for the page.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { FaultScene } from './scene.ts';
import { statusOutput } from './signs.ts';
import { POLICY } from './table.ts';

const KUBECTL: readonly string[] = [
  'get ipsecpolicies',
  'get ipsechostreports',
  `describe ipsecpolicies ${POLICY}`,
];

/** By the command as typed. */
export async function screensOf(scene: FaultScene): Promise<Record<string, string>> {
  const screens: Record<string, string> = {};
  for (const words of KUBECTL) screens[`kubectl ${words}`] = await kubectl(scene, words.split(' '));
  screens['ipsec-policy-operator status'] = await statusOutput(scene);
  return screens;
}

async function kubectl({ lab }: FaultScene, words: readonly string[]): Promise<string> {
  const program = join(process.env['IPSEC_KUBERNETES_DIR'] ?? '', 'kubectl');
  const args = ['--kubeconfig', lab.cluster.adminKubeconfig, ...words];
  return (await promisify(execFile)(program, args)).stdout;
}
