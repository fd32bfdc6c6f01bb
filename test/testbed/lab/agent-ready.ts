// The Ready condition of an agent's pod, in labs without a kubelet of their own: what asks the readiness probe and what writes
// its answer down. With kubelets and probes: kubelets.ts.
import { PODS } from '../../../app/kubernetes/resources.ts';
import { RELEASE } from '../../support/helm.ts';
import { until } from '../../support/until.ts';
import type { Lab } from './lab.ts';
import type { LabHost } from './topology.ts';

/** The agent's own port on its host (HEALTH_PORT). */
const READY_URL = 'http://127.0.0.1:9822/readyz';
const ASK = `import urllib.request; urllib.request.urlopen("${READY_URL}", timeout=5)`;

/** Writes into the pod's status that it is ready, or is not, as soon as the pod is there. */
export async function setAgentReady(lab: Lab, host: LabHost, isReady: boolean): Promise<void> {
  const ref = { namespace: RELEASE, name: `ipsec-policy-agent-${host}` };
  const isThere = (): Promise<boolean> =>
    lab.cluster.admin.get(PODS, ref).then(
      () => true,
      () => false,
    );
  await until(`the pod of ${host} is there`, isThere, 60_000);
  await lab.cluster.admin.mergePatch(
    PODS,
    { ...ref, subresource: 'status' },
    { status: { phase: 'Running', conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] } },
  );
}

/** As the kubelet does it with the chart's readiness probe: writes it down when the agent on this host says that it is ready. */
export async function untilAgentReady(lab: Lab, host: LabHost): Promise<void> {
  const answers = async (): Promise<boolean> =>
    (await lab.exec(host, ['/usr/bin/python3', '-IS', '-c', ASK])).code === 0;
  await until(`the agent of ${host} is ready`, answers, 60_000);
  await setAgentReady(lab, host, true);
}
