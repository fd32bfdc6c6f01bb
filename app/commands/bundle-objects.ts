// What of an object goes into a support bundle: fields that are named here and nothing else. Annotations hold whatever somebody
// put there (kubectl keeps whole objects in one), environment variables may hold passwords: only ours are kept. Pure.
import { SETTINGS } from '../runtime/settings.ts';

type Fields = Readonly<Record<string, unknown>>;

/** An object of our own kinds: all but annotations and the bookkeeping of writers. */
export function ourObject(object: unknown): Fields {
  return { ...fields(object), metadata: metadataOf(object) };
}

export function nodeObject(object: unknown): Fields {
  const { addresses, conditions, nodeInfo } = fields(fields(object)['status']);
  const { unschedulable, taints } = fields(fields(object)['spec']);
  return {
    metadata: metadataOf(object),
    spec: { unschedulable, taints },
    status: { addresses, conditions, nodeInfo },
  };
}

export function serviceObject(object: unknown): Fields {
  return { metadata: metadataOf(object), spec: fields(object)['spec'] };
}

export function sliceObject(object: unknown): Fields {
  const { addressType, ports, endpoints } = fields(object);
  return { metadata: metadataOf(object), addressType, ports, endpoints };
}

/** Calico's blocks, affinities and pools. Handles name pods; that is what owns an address. */
export function calicoObject(object: unknown): Fields {
  return { metadata: metadataOf(object), spec: fields(object)['spec'] };
}

export function eventObject(object: unknown): Fields {
  const { type, reason, note, regarding, reportingController, eventTime, series } = fields(object);
  return { type, reason, note, regarding, reportingController, eventTime, series };
}

export function podObject(object: unknown): Fields {
  const { nodeName, hostNetwork, priorityClassName, containers } = fields(fields(object)['spec']);
  const { phase, conditions, containerStatuses, reason, message } = fields(fields(object)['status']);
  return {
    metadata: metadataOf(object),
    spec: { nodeName, hostNetwork, priorityClassName, containers: list(containers).map(container) },
    status: { phase, reason, message, conditions, containerStatuses },
  };
}

/** Deployment and DaemonSet: the chart's settings as they arrived, and how far the roll-out is. */
export function workloadObject(object: unknown): Fields {
  const spec = fields(fields(object)['spec']);
  const pod = fields(fields(spec['template'])['spec']);
  return {
    metadata: metadataOf(object),
    spec: { replicas: spec['replicas'], containers: list(pod['containers']).map(container) },
    status: fields(object)['status'],
  };
}

const OUR_VARIABLES = new Set<unknown>(Object.values(SETTINGS).map(({ env }) => env));

function container(item: unknown): Fields {
  const { name, image, args, env, resources, securityContext } = fields(item);
  return {
    name,
    image,
    args,
    env: list(env).filter((variable) => OUR_VARIABLES.has(fields(variable)['name'])),
    resources,
    securityContext,
  };
}

function metadataOf(object: unknown): Fields {
  const { name, namespace, uid, generation, resourceVersion, creationTimestamp, deletionTimestamp, labels } =
    fields(fields(object)['metadata']);
  return { name, namespace, uid, generation, resourceVersion, creationTimestamp, deletionTimestamp, labels };
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
