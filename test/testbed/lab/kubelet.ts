// One pod as a kubelet makes it ready: the token that is bound to it, its files, its container's configuration. Suites that want a
// pod at once make it here out of a workload's template; who watches, probes and starts again is kubelets.ts.
import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from './api.ts';
import { containerConfig, type PodSpec } from './container-config.ts';
import { startContainer, type ContainerProgram } from './containers.ts';
import type { Lab } from './lab.ts';
import { runtimeDefault } from './seccomp.ts';
import { HOSTS, OUTSIDE_ADDRESS, type LabHost } from './topology.ts';
import { unpackedImage, type UnpackedImage } from './unpacked-image.ts';

export interface PodTemplate {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec: PodSpec;
}

export interface PodOptions {
  readonly name: string;
  readonly namespace: string;
  readonly template: PodTemplate;
  /** The Node that the pod is bound to. */
  readonly node: LabHost;
  /** In this host's namespaces; outside the guest when absent, where the control plane of the lab is. */
  readonly place?: LabHost;
}

export interface RunOptions {
  readonly logFile: string;
  /** Instead of what the container's own variables say. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Pod {
  /** Starts its container; after its end also anew, with the same token. */
  run(options: RunOptions): Promise<ContainerProgram>;
}

/** The pod as an object, and its token and CA in files; nothing runs yet. */
export async function makePod(lab: Lab, options: PodOptions): Promise<Pod> {
  const { name, namespace, node, place, template } = options;
  const object = await lab.api.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...template.metadata, name, namespace },
    spec: { ...template.spec, nodeName: node },
  });
  const address = place === undefined ? OUTSIDE_ADDRESS : HOSTS[place].cluster;
  return podOf(lab, { object: object as PodObject, image: unpackedImage(), place, address });
}

/** A pod as the API server gives it, bound to a Node. */
export type PodObject = KubeObject & { readonly spec: PodSpec & { readonly nodeName: string } };

export interface PodPlace {
  readonly object: PodObject;
  readonly image: UnpackedImage;
  /** In this host's namespaces; outside the guest when undefined. */
  readonly place: LabHost | undefined;
  readonly address: string;
}

/** Writes token and CA of a pod that is there; nothing runs yet. */
export async function podOf(lab: Lab, pod: PodPlace): Promise<Pod> {
  const { name, uid = '' } = pod.object.metadata;
  const folder = join(lab.dir, 'pods', `${name}-${uid}`);
  const secrets = join(folder, 'serviceaccount');
  mkdirSync(secrets, { recursive: true });
  await writeIdentity(lab, pod.object, secrets);
  let starts = 0;
  return {
    run: ({ logFile, env = {} }) => {
      const id = `${name}-${process.pid}-${++starts}`;
      const bundle = join(folder, String(starts));
      mkdirSync(bundle);
      const config = configOf({ ...pod, lab, secrets, env });
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(config, undefined, 2));
      return startContainer(lab, { bundle, id, logFile, place: pod.place });
    },
  };
}

interface ConfigInput extends PodPlace {
  readonly lab: Lab;
  readonly secrets: string;
  readonly env: Readonly<Record<string, string>>;
}

function configOf({ lab, image, object, address, secrets, env }: ConfigInput): object {
  const { name, namespace = '' } = object.metadata;
  // Straight to where the Service `kubernetes` leads, so that no suite waits for a kube-proxy.
  const { hostname, port } = new URL(lab.cluster.url);
  return containerConfig({
    image,
    spec: object.spec,
    serviceAccountFolder: secrets,
    seccomp: runtimeDefault,
    fields: {
      'metadata.name': name,
      'metadata.namespace': namespace,
      'spec.nodeName': object.spec.nodeName,
      'status.podIP': address,
    },
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port, ...env },
  });
}

/** Files as a kubelet projects them: the token for the container's user alone. */
async function writeIdentity(lab: Lab, pod: PodObject, folder: string): Promise<void> {
  const { namespace = '' } = pod.metadata;
  const { serviceAccountName, containers, securityContext } = pod.spec;
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccountName}/token`;
  const answer = (await lab.api.call('POST', path, tokenRequest(pod))) as {
    readonly status: { readonly token: string };
  };
  const token = join(folder, 'token');
  writeFileSync(token, answer.status.token);
  chmodSync(token, 0o600);
  const user = containers[0]?.securityContext?.runAsUser ?? securityContext?.runAsUser;
  chownSync(token, user ?? 0, user ?? 0);
  writeFileSync(join(folder, 'namespace'), namespace);
  copyFileSync(lab.cluster.caFile, join(folder, 'ca.crt'));
  chmodSync(join(folder, 'ca.crt'), 0o644);
}

/** A kubelet asks for an hour and 7 s. */
function tokenRequest(pod: KubeObject): object {
  const { name, uid } = pod.metadata;
  return {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3607, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } },
  };
}
