// What runc is told of a pod's container: everything out of the image and of the pod's own words, as a kubelet and an engine
// would understand them. Pure; a confinement that it does not know is refused and not passed over.
import type { OciConfig, OciMount, UnpackedImage } from './unpacked-image.ts';

/** Of a pod's spec, the fields that the chart uses and that matter without an engine. */
export interface PodSpec {
  readonly serviceAccountName: string;
  readonly hostNetwork?: boolean;
  readonly restartPolicy?: 'Always' | 'Never' | 'OnFailure';
  readonly securityContext?: SecurityContext;
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
}

/** Of a projected one only that of the pod's own identity, which the API server adds to every pod. */
interface Volume {
  readonly name: string;
  readonly hostPath?: { readonly path: string };
  readonly projected?: object;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly EnvVar[];
  readonly securityContext?: SecurityContext;
  readonly resources?: { readonly limits?: { readonly memory?: string } };
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly readinessProbe?: HttpProbe;
  readonly livenessProbe?: HttpProbe;
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
}

/** With the defaults that the API server fills in. */
export interface HttpProbe {
  readonly httpGet: { readonly host?: string; readonly path: string; readonly port: number | string };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

interface SecurityContext {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  readonly seccompProfile?: { readonly type: string };
}

export interface ContainerInput {
  readonly image: UnpackedImage;
  readonly spec: PodSpec;
  /** What `fieldRef` asks for, by path. */
  readonly fields: Readonly<Record<string, string>>;
  /** Beside and before those of the container. */
  readonly env: Readonly<Record<string, string>>;
  /** Folder with token, CA and namespace. */
  readonly serviceAccountFolder: string;
  /** The filter of RuntimeDefault, made for these capabilities. */
  readonly seccomp: (capabilities: readonly string[]) => unknown;
}

/** The `config.json` of the pod's only container, which shares the network of whoever starts it. */
export function containerConfig(input: ContainerInput): OciConfig {
  const { image, spec } = input;
  const [container, ...others] = spec.containers;
  if (container === undefined || others.length > 0) throw new Error('a pod with one container is expected');
  const context = { ...spec.securityContext, ...container.securityContext };
  refuseUnknown(context);
  const capabilities = capabilitiesOf(context);
  const { config } = image;
  return {
    ...config,
    hostname: spec.hostNetwork === true ? undefined : input.fields['metadata.name'],
    root: { path: image.rootfs, readonly: context.readOnlyRootFilesystem === true },
    process: {
      ...config.process,
      terminal: false,
      user: userOf(context),
      args: [...config.process.args, ...container.args],
      env: [...config.process.env, ...environment(container, input)],
      noNewPrivileges: context.allowPrivilegeEscalation === false,
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
    },
    mounts: [...config.mounts, ...volumeMounts(spec, container, input.serviceAccountFolder)],
    linux: {
      ...config.linux,
      resources: { ...config.linux.resources, ...memoryOf(container) },
      namespaces: config.linux.namespaces.filter(
        ({ type }) => type !== 'network' && !(type === 'uts' && spec.hostNetwork === true),
      ),
      ...(context.seccompProfile?.type === 'RuntimeDefault' && { seccomp: input.seccomp(capabilities) }),
    },
  };
}

const KNOWN: readonly string[] = [
  ...['runAsUser', 'runAsGroup', 'runAsNonRoot', 'allowPrivilegeEscalation', 'readOnlyRootFilesystem'],
  ...['capabilities', 'seccompProfile'],
];

function refuseUnknown(context: SecurityContext): void {
  const unknown = Object.keys(context).filter((name) => !KNOWN.includes(name));
  if (unknown.length > 0) throw new Error(`no stand-in for securityContext.${unknown.join(', ')}`);
}

function capabilitiesOf({ capabilities }: SecurityContext): string[] {
  if (capabilities?.drop?.includes('ALL') !== true) throw new Error('a container that drops ALL is expected');
  return (capabilities.add ?? []).map((name) => `CAP_${name}`);
}

function userOf({ runAsUser, runAsGroup, runAsNonRoot }: SecurityContext): object {
  if (runAsUser === undefined || runAsGroup === undefined) throw new Error('a user and a group are expected');
  if (runAsNonRoot === true && runAsUser === 0) throw new Error('runAsNonRoot, and the user is root');
  return { uid: runAsUser, gid: runAsGroup };
}

function environment(container: Container, { fields, env }: ContainerInput): string[] {
  const own = container.env.map(({ name, value, valueFrom }) => {
    const field = valueFrom?.fieldRef.fieldPath;
    // The API server drops a value that is empty.
    const found = field === undefined ? (value ?? '') : fields[field];
    if (found === undefined) throw new Error(`${name}: the stand-in for the kubelet has no ${field ?? ''}`);
    return [name, found] as const;
  });
  return Object.entries({ ...Object.fromEntries(own), ...env }).map(([name, value]) => `${name}=${value}`);
}

function volumeMounts(spec: PodSpec, container: Container, serviceAccountFolder: string): OciMount[] {
  return (container.volumeMounts ?? []).map(({ name, mountPath, readOnly }) => {
    const volume = spec.volumes?.find((entry) => entry.name === name);
    const source = volume?.projected === undefined ? volume?.hostPath?.path : serviceAccountFolder;
    if (source === undefined) throw new Error(`the pod has no volume ${name}`);
    return bind(source, mountPath, readOnly === true);
  });
}

/** A container that needs more is ended by the kernel. */
function memoryOf({ resources }: Container): object {
  const text = resources?.limits?.memory;
  if (text === undefined) return {};
  const [, number, unit] = /^(\d+)(Mi|Gi)$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`no stand-in for a memory limit of ${text}`);
  return { memory: { limit: Number(number) * (unit === 'Gi' ? 1024 : 1) * 1024 * 1024 } };
}

function bind(source: string, destination: string, readOnly: boolean): OciMount {
  return { source, destination, type: 'bind', options: ['rbind', 'rprivate', readOnly ? 'ro' : 'rw'] };
}
