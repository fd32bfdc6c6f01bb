// What the suites about the application as a whole stand on: a lab in which it is about to be installed, out of its packaged tarball,
// with stand-ins for the kubelets; services to protect, and what a user asks. How it is installed is the suite's business.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { RELEASE } from '../../support/helm.ts';
import { kubectl } from '../../support/service-accounts.ts';
import { until } from '../../support/until.ts';
import { packagedApplication, type Application } from './application.ts';
import { serveFlows } from './flow.ts';
import { startKubelets, type Kubelets } from './kubelets.ts';
import { startLab, type Lab } from './lab.ts';
import { everyObject } from './leftovers.ts';
import type { PolicyRow } from './operator.ts';
import { addSeedServices } from './seed-services.ts';
import type { LabHost } from './topology.ts';

const SAMPLE = 'docs/samples/ipsecpolicy-kube-dns.yaml';
const PATIENCE_MS = 240_000;

/** A server of numbered messages, beside the DNS servers of the description. */
export const ECHO = { host: 'controller-0', address: '172.16.192.100', port: 6001 } as const;

export interface ReleaseGround {
  readonly dir: string;
  readonly application: Application;
  readonly lab: Lab;
  readonly kubelets: Kubelets;
  /** `kubectl` as an administrator; rejects with what it says when it fails. */
  readonly kube: (...args: readonly string[]) => Promise<string>;
  /** Creates the namespace as the plugin does at apply: its pods are privileged ones for the admission of pods. */
  readonly makeNamespace: () => Promise<void>;
  /** Resolves when the hosts on which pods of a component are ready are these; a kubelet asks every 5 s. */
  readonly untilReadyOn: (component: string, hosts: readonly LabHost[]) => Promise<void>;
  /** A policy for the services of the description and the echo server. */
  readonly applyPolicy: (name: string) => Promise<void>;
  /** Resolves when `kubectl get ipsecpolicies` says that it is in force on so many hosts, such as `3/3`. */
  readonly untilInForceOn: (policy: string, hosts: string) => Promise<void>;
  /** Objects that were not there before anything of the application was. */
  readonly newObjects: () => Promise<readonly string[]>;
  readonly close: () => Promise<void>;
}

/** `registry`: what stands before the image's name on the hosts, such as `registry.local:9001/`. */
export async function startReleaseGround(registry = ''): Promise<ReleaseGround> {
  const dir = mkdtempSync(join(tmpdir(), 'release-'));
  const application = packagedApplication(dir);
  const lab = await startLab({ beforeInstall: true });
  const kubelets = startKubelets(lab, {
    namespace: RELEASE,
    image: application.image,
    imageNames: [`${registry}${application.imageName}`],
  });
  await addSeedServices(lab);
  await addEcho(lab);
  const atFirst = await everyObject(lab);
  const kube: ReleaseGround['kube'] = (...args) => kubectl(lab.cluster, args);
  return {
    ...{ dir, application, lab, kubelets, kube },
    makeNamespace: async () => {
      await kube('create', 'namespace', RELEASE);
      await kube('label', 'namespace', RELEASE, 'pod-security.kubernetes.io/enforce=privileged');
    },
    untilReadyOn: (component, hosts) =>
      until(
        `pods of ${component} are ready on ${hosts.join(', ')}`,
        async () => (await readyOn(kube, component)).join() === hosts.join(),
        60_000,
      ),
    applyPolicy: async (name) => {
      const { spec } = load(readFileSync(SAMPLE, 'utf8')) as { spec: { policies: PolicyRow[] } };
      const echo = {
        ...{ name: 'echo', servicename: 'echo', servicens: 'default', serviceports: `udp/${ECHO.port}` },
      };
      await lab.api.apply({
        ...{ apiVersion: 'starlingx.io/v1', kind: 'IPsecPolicy', metadata: { name } },
        spec: { policies: [...spec.policies, echo] },
      });
    },
    untilInForceOn: (policy, hosts) =>
      until(
        `${policy} is in force on ${hosts}`,
        async () => {
          const row = (await kube('get', 'ipsecpolicies', policy, '--no-headers')).trim().split(/\s+/);
          return row.includes(hosts) && row.includes('True');
        },
        PATIENCE_MS,
      ),
    newObjects: async () => [...(await everyObject(lab))].filter((object) => !atFirst.has(object)),
    close: async () => {
      await kubelets.stop();
      await lab.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const READY = '{range .items[*]}{.spec.nodeName} {.status.containerStatuses[0].ready}{"\\n"}{end}';

/** Sorted. */
async function readyOn(kube: ReleaseGround['kube'], component: string): Promise<readonly string[]> {
  const said = await kube(
    ...['get', 'pods', '--namespace', RELEASE, '--selector', `app.kubernetes.io/component=${component}`],
    ...['--output', `jsonpath=${READY}`],
  );
  const ready = said.split('\n').filter((line) => line.endsWith(' true'));
  return ready.map((line) => line.split(' ')[0] ?? '').sort();
}

async function addEcho(lab: Lab): Promise<void> {
  const { host, address, port } = ECHO;
  await lab.addService({ name: 'echo', selector: { app: 'echo' }, ports: [{ port, protocol: 'UDP' }] });
  const pod = await lab.addPod({ name: 'echo', host, addresses: [address], labels: { app: 'echo' } });
  await serveFlows(lab, pod, { protocol: 'udp', address, port });
}
