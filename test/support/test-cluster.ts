// A control plane with our CRDs and Calico's, and an administrator's client: where integration tests, the testbed and
// the benchmarks begin.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { isNotFound } from '../../app/kubernetes/api-error.ts';
import { Client } from '../../app/kubernetes/client.ts';
import type { Resource } from '../../app/kubernetes/resources.ts';
import { CALICO_CRDS } from './calico-crds.ts';
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from './control-plane.ts';

export interface TestCluster extends ControlPlane {
  /** May do everything. */
  readonly admin: Client;
}

export const CRDS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string; readonly plural: string };
    readonly scope: string;
    readonly versions: readonly { readonly name: string }[];
  };
}

export interface TestClusterOptions extends ControlPlaneOptions {
  /** With Calico's kinds, as by default; without them `addCalico` brings them later. */
  readonly calico?: boolean;
  /** No definitions of ours: whoever installs the chart brings them. */
  readonly withoutOurs?: boolean;
}

/** Resolves when every kind of ours and of Calico's can be listed. */
export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const controlPlane = await startControlPlane(options);
  const admin = new Client({ kubeconfig: controlPlane.adminKubeconfig });
  try {
    if (options.withoutOurs !== true) await addCrds(admin, ourCrds());
    if (options.calico !== false) await addCalico(admin);
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
  return {
    ...controlPlane,
    admin,
    stop: async () => {
      await controlPlane.stop();
      await admin.close();
    },
  };
}

/** Resolves when Calico's kinds can be listed. */
export async function addCalico(admin: Client): Promise<void> {
  await addCrds(admin, CALICO_CRDS as readonly Crd[]);
}

async function addCrds(admin: Client, crds: readonly Crd[]): Promise<void> {
  await Promise.all(crds.map((crd) => admin.create(CRDS, crd)));
  await Promise.all(crds.map((crd) => untilServed(admin, crd)));
}

/** The CRDs that ship, as they stand in the chart. */
export function ourCrds(): readonly Crd[] {
  const folder = join(import.meta.dirname, '../../charts/ipsec-policy-operator/templates');
  return readdirSync(folder)
    .filter((file) => file.startsWith('crd-'))
    .sort()
    .map((file) => load(readFileSync(join(folder, file), 'utf8')) as Crd);
}

/** A new CRD is accepted at once and served a little later. */
async function untilServed(client: Client, crd: Crd): Promise<void> {
  const { group, names, versions, scope } = crd.spec;
  const version = versions[0]?.name ?? '';
  const resource = {
    group,
    version,
    kind: names.kind,
    plural: names.plural,
    namespaced: scope !== 'Cluster',
  };
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      await client.list(resource, { limit: '1' });
      return;
    } catch (error) {
      if (!isNotFound(error) || performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
