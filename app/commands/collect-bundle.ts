// Collects a support bundle: objects, settings, what every host has, logs; each part by itself, so that one that cannot be had is
// named with its reason and the others are there. Reads only.
import { dump } from 'js-yaml';
import { clusterStatus } from '../domain/cluster-status.ts';
import type { ClusterView } from '../domain/cluster-view.ts';
import { compareText } from '../domain/problem.ts';
import { ApiError } from '../kubernetes/api-error.ts';
import type { Client } from '../kubernetes/client.ts';
import { listAll } from '../kubernetes/list-all.ts';
import {
  BLOCK_AFFINITIES,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  EVENTS,
  HOSTS,
  IP_POOLS,
  IPAM_BLOCKS,
  NETWORKS,
  NODES,
  objectPath,
  PODS,
  POLICIES,
  REPORTS,
  SERVICES,
  SHARDS,
  type Resource,
} from '../kubernetes/resources.ts';
import { describeError } from '../runtime/errors.ts';
import { askHosts } from './ask-host.ts';
import {
  calicoObject,
  eventObject,
  nodeObject,
  ourObject,
  podObject,
  serviceObject,
  sliceObject,
  workloadObject,
} from './bundle-objects.ts';
import { CannotTellError } from './command-errors.ts';
import type { Answer, Evidence } from './evidence.ts';
import { OURS, readCluster } from './read-cluster.ts';
import { statusText } from './status-text.ts';
import { painter } from './table.ts';
import { withoutSecrets } from './without-secrets.ts';

export interface CollectOptions {
  readonly client: Client;
  readonly namespace: string;
  readonly nowMs: number;
  readonly onProgress: (what: string) => void;
}

export interface Bundle {
  /** By path. */
  readonly files: ReadonlyMap<string, string>;
  /** What could not be had, and why; a sentence each, sorted. Also in the file `missing.txt`. */
  readonly missing: readonly string[];
}

const LOG_LINES = '1000';

export async function collectBundle(options: CollectOptions): Promise<Bundle> {
  const { client, namespace, onProgress } = options;
  const files = new Map<string, string>();
  const missing: string[] = [];
  const attempt = async (what: string, read: () => Promise<void>): Promise<void> => {
    try {
      await read();
    } catch (error) {
      if (!(error instanceof ApiError) && !(error instanceof CannotTellError)) throw error;
      missing.push(`${what}: ${describeError(error)}`);
    }
  };
  const put = (path: string, text: string): void => {
    files.set(path, withoutSecrets(text));
  };

  onProgress('reading objects');
  let view: ClusterView | undefined;
  await attempt('status', async () => {
    view = await readCluster(options);
    const { nowMs } = options;
    put('status.txt', statusText(clusterStatus(view), { nowMs, paint: painter(false), isWide: true }));
  });
  await attempt('version of the API server', async () =>
    put('version.yaml', yaml(JSON.parse(await client.text('/version', {})))),
  );
  const services = new Set(
    view?.policies.flatMap(({ status }) => status?.rows ?? []).map(({ service }) => service),
  );
  await Promise.all(
    kinds(namespace, services).map(
      ({ resource, keep, isWanted = () => true, query, inside, path = 'objects' }) =>
        attempt(resource.plural, async () => {
          const objects = await listAll(client, resource, {
            ...(query === undefined ? {} : { query }),
            ...(inside === undefined ? {} : { namespace: inside }),
          });
          const kept = objects.filter(isWanted).map(keep);
          put(`${path}/${resource.plural}.yaml`, kept.map((object) => `---\n${yaml(object)}`).join(''));
        }),
    ),
  );
  const agents = view?.agents ?? [];
  const hosts = [
    ...new Set([...(view?.hosts.map(({ name }): string => name) ?? []), ...agents.map(({ host }) => host)]),
  ]
    .filter((host) => host !== '')
    .sort(compareText);
  const answers = await askHosts(hosts, {
    client,
    namespace,
    agents,
    onProgress: (answered, of) => onProgress(`asking hosts: ${answered} of ${of}`),
  });
  for (const [host, answer] of answers) putEvidence(host, answer, put, missing);
  onProgress('reading logs');
  await attempt('logs', async () => {
    const pods = await listAll(client, PODS, { namespace, query: { labelSelector: OURS } });
    const names = pods.map((pod) => (pod as { metadata: { name: string } }).metadata.name);
    for (const name of names)
      await attempt(`log of ${name}`, async () => {
        const query = { tailLines: LOG_LINES, timestamps: 'true' };
        put(`logs/${name}.log`, await client.text(`${objectPath(PODS, name, namespace)}/log`, query));
      });
  });
  missing.sort(compareText);
  put('missing.txt', missing.map((line) => `${line}\n`).join(''));
  return { files, missing };
}

interface Kind {
  readonly resource: Resource;
  readonly keep: (object: unknown) => object;
  readonly isWanted?: (object: unknown) => boolean;
  readonly query?: Readonly<Record<string, string>>;
  /** Namespace; all when absent. */
  readonly inside?: string;
  readonly path?: string;
}

/** Ours whole, the cluster's as far as policies name it. */
function kinds(namespace: string, services: ReadonlySet<string>): readonly Kind[] {
  const own = { query: { labelSelector: OURS }, inside: namespace, path: 'settings' };
  const path = 'cluster';
  return [
    ...[POLICIES, NETWORKS, HOSTS, SHARDS, REPORTS].map((resource) => ({ resource, keep: ourObject })),
    { resource: NODES, keep: nodeObject, path },
    { resource: SERVICES, keep: serviceObject, path, isWanted: (object) => services.has(keyOf(object)) },
    {
      resource: ENDPOINT_SLICES,
      keep: sliceObject,
      path,
      isWanted: (object) => services.has(serviceOf(object)),
    },
    ...[IPAM_BLOCKS, BLOCK_AFFINITIES, IP_POOLS].map((resource) => ({ resource, keep: calicoObject, path })),
    { resource: EVENTS, keep: eventObject, isWanted: isOurEvent },
    { resource: DEPLOYMENTS, keep: workloadObject, ...own },
    { resource: DAEMON_SETS, keep: workloadObject, ...own },
    { resource: PODS, keep: podObject, ...own },
  ];
}

interface Named {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

function keyOf(object: unknown): string {
  const { namespace = '', name } = (object as Named).metadata;
  return `${namespace}/${name}`;
}

function serviceOf(object: unknown): string {
  const { namespace = '', labels = {} } = (object as Named).metadata;
  return `${namespace}/${labels['kubernetes.io/service-name'] ?? ''}`;
}

function isOurEvent(object: unknown): boolean {
  const { regarding } = object as { readonly regarding?: { readonly apiVersion?: string } };
  return regarding?.apiVersion?.startsWith('starlingx.io/') === true;
}

function putEvidence(
  host: string,
  answer: Answer<Evidence>,
  put: (path: string, text: string) => void,
  missing: string[],
): void {
  if ('failed' in answer) {
    missing.push(`what ${host} has: ${answer.failed}`);
    return;
  }
  const { charon, file, guard, metrics } = answer.said;
  const part = <T>(what: string, source: Answer<T>, write: (said: T) => void): void => {
    if ('said' in source) write(source.said);
    else missing.push(`${what} of ${host}: ${source.failed}`);
  };
  const folder = `hosts/${host}`;
  part('charon', charon, (said) => {
    for (const [name, value] of Object.entries(said)) put(`${folder}/charon-${name}.yaml`, yaml(value));
  });
  part('k8s-nodes.conf', file, (text) => put(`${folder}/k8s-nodes.conf`, text));
  part('guard', guard, (tables) => {
    for (const [name, json] of Object.entries(tables)) put(`${folder}/${name}.json`, json);
  });
  part('metrics', metrics, (text) => put(`${folder}/metrics.txt`, text));
}

function yaml(value: unknown): string {
  return dump(value, { lineWidth: -1, noRefs: true, skipInvalid: true, sortKeys: true });
}
