// A small client of the API server for tests: requests with the certificate of a kubeconfig, server-side apply.
// What objects a lab writes is cluster.ts's business.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
    readonly uid?: string;
    readonly generation?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Api {
  /** JSON in, JSON out; rejects with the server's message on any status from 400 on. */
  call(method: Method, path: string, body?: unknown, contentType?: string): Promise<unknown>;
  get(path: string): Promise<KubeObject>;
  list(path: string): Promise<readonly KubeObject[]>;
  /** Creates it or makes it so: server-side apply as field manager `lab`, with force. */
  apply(object: KubeObject): Promise<KubeObject>;
  /** Merges into the status subresource; lists are replaced. A Node's two InternalIPs cannot be applied. */
  patchStatus(object: KubeObject): Promise<KubeObject>;
  /** Deletes it if it is there, without a grace period. */
  remove(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): Promise<void>;
  close(): Promise<void>;
}

interface Kubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
  ];
  readonly users: readonly [
    { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } },
  ];
}

/** A client for a kubeconfig written as JSON, with one cluster and one user. */
export function openApi(kubeconfig: string): Api {
  const config = JSON.parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig;
  const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster;
  const { 'client-certificate-data': cert, 'client-key-data': key } = config.users[0].user;
  const dispatcher = new Agent({ connect: { ca: decode(ca), cert: decode(cert), key: decode(key) } });
  const call: Api['call'] = async (method, path, body, contentType = 'application/json') => {
    const response = await request(server + path, {
      dispatcher,
      method,
      headers: { 'content-type': contentType },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.body.json();
    if (response.statusCode < 400) return answer;
    const message = (answer as { message?: string }).message ?? '';
    throw Object.assign(new Error(`${method} ${path}: ${response.statusCode} ${message}`), {
      status: response.statusCode,
    });
  };
  return {
    call,
    get: async (path) => (await call('GET', path)) as KubeObject,
    list: async (path) => ((await call('GET', path)) as { items: KubeObject[] | null }).items ?? [],
    apply: async (object) =>
      (await call('PATCH', `${objectPath(object)}?fieldManager=lab&force=true`, object, APPLY)) as KubeObject,
    patchStatus: async (object) =>
      (await call('PATCH', `${objectPath(object)}/status`, object, MERGE)) as KubeObject,
    remove: async (object) => {
      try {
        await call('DELETE', `${objectPath(object)}?gracePeriodSeconds=0`);
      } catch (error) {
        if ((error as { status?: number }).status !== 404) throw error;
      }
    },
    close: () => dispatcher.destroy(),
  };
}

/** JSON is YAML. */
const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';

/** `/apis/<group>/<version>/namespaces/<namespace>/<plural>/<name>`. */
export function objectPath({
  apiVersion,
  kind,
  metadata,
}: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const namespace = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
  return `${root}${namespace}/${plural(kind)}/${metadata.name}`;
}

function plural(kind: string): string {
  const name = kind.toLowerCase();
  if (name === 'endpoints') return name;
  return name.endsWith('y') ? `${name.slice(0, -1)}ies` : `${name}s`;
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString();
}
