// The chart in the lab's API: what gives manager and agents their rights, and the templates of their pods. Its workloads are
// not created: no controller and no scheduler would act on them here, kubelet.ts runs their pods.
import { renderedObjects, RELEASE, type Rendered } from '../../support/helm.ts';
import type { KubeObject } from './api.ts';
import { ensureNamespace } from './cluster.ts';
import type { PodTemplate } from './kubelet.ts';
import type { Lab } from './lab.ts';

export interface InstalledChart {
  readonly namespace: string;
  readonly agent: PodTemplate;
  readonly manager: PodTemplate;
}

/** The lab has the CRDs already; a workload would have pods that never run. */
const LEFT_OUT = ['CustomResourceDefinition', 'DaemonSet', 'Deployment', 'Job'];

export async function installChart(lab: Lab): Promise<InstalledChart> {
  const [objects] = await Promise.all([renderedObjects(), ensureNamespace(lab.api, RELEASE)]);
  const rights = objects.filter(({ kind }) => !LEFT_OUT.includes(kind));
  await Promise.all(rights.map((object) => lab.api.apply(object as unknown as KubeObject)));
  return {
    namespace: RELEASE,
    agent: templateOf(objects, 'DaemonSet'),
    manager: templateOf(objects, 'Deployment'),
  };
}

function templateOf(objects: readonly Rendered[], kind: string): PodTemplate {
  const workload = objects.find((object) => object.kind === kind);
  if (workload === undefined) throw new Error(`the chart renders no ${kind}`);
  return (workload.spec as { readonly template: PodTemplate }).template;
}
