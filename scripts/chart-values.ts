// Which values does the chart have, and what do they mean? One table, the settings of the programs among it: values.yaml, its
// schema, the README and the pods' environment are written out of it by generate-chart.ts. Pure.
import { SETTINGS } from '../app/runtime/settings.ts';

export type Schema = Readonly<Record<string, unknown>>;

/** One value that an operator may set. */
export interface ChartValue {
  readonly path: readonly string[];
  readonly default: unknown;
  readonly schema: Schema;
  readonly help: string;
}

/** One environment variable of a program. */
export interface EnvironmentVariable {
  readonly env: string;
  /** A field of the pod, or a template that makes the text. */
  readonly from: { readonly fieldPath: string } | { readonly template: string };
}

export type Program = 'manager' | 'agent';
export const PROGRAMS: readonly Program[] = ['manager', 'agent'];

/** Stands in the chart where scripts/package-chart writes the application's version. */
export const VERSION_PLACEHOLDER = '0.0-0';
/** Where the agent's container sees the folder of charon's socket: below /var/run lies the pod's own token. */
export const HOST_RUN = '/host/run';

/** Settings that the pod's own fields give; nobody may set them. The pod's address fits either family. */
const FROM_POD: Readonly<Record<string, string>> = {
  'manager.namespace': 'metadata.namespace',
  'manager.identity': 'metadata.name',
  'manager.healthHost': 'status.podIP',
  'agent.nodeName': 'spec.nodeName',
};
/** In a cluster the service account counts. */
const NOT_IN_A_POD: ReadonlySet<string> = new Set(['kubeconfig']);

/** Where the chart differs from the program. */
const IN_A_POD: Readonly<Record<string, Partial<Omit<ChartValue, 'path'>>>> = {
  'manager.healthPort': { schema: { minimum: 1 }, help: 'Port of /healthz, /readyz and /metrics' },
  'agent.healthPort': {
    schema: { minimum: 1 },
    help: "Port of /healthz, /readyz and /metrics on the host's network; must be free on every host",
  },
  'agent.healthHost': {
    default: '127.0.0.1',
    help: "Address of the health and metrics port on the host's network: by default for the kubelet of the host alone; `0.0.0.0` or `::` to have the metrics collected",
  },
  'agent.viciSocket': {
    schema: { pattern: '^/.+/[^/]+$' },
    help: "charon's VICI socket on the host; its folder is mounted, so that a restart of charon is survived",
  },
  'agent.confFile': {
    schema: { pattern: '^/.+/[^/]+\\.conf$' },
    help: "Our file of connections on the host, in a folder that strongSwan's configuration includes",
  },
};

const TEMPLATES: Readonly<Record<string, string>> = {
  'agent.viciSocket': `printf "${HOST_RUN}/%s" (base .Values.agent.settings.viciSocket)`,
};

interface OneSetting {
  readonly name: string;
  readonly env: string;
  readonly schema: Schema;
  readonly help: string;
}

function settingsOf(program: Program): OneSetting[] {
  return Object.entries(SETTINGS).flatMap(([name, setting]) => {
    const isRead = setting.program === program || setting.program === 'both';
    return isRead && !NOT_IN_A_POD.has(name) ? [{ name, ...setting }] : [];
  });
}

/** The environment of one program, in the order of the table of settings. */
export function environment(program: Program): EnvironmentVariable[] {
  return settingsOf(program).map(({ name, env }) => {
    const key = `${program}.${name}`;
    const fieldPath = FROM_POD[key];
    if (fieldPath !== undefined) return { env, from: { fieldPath } };
    return { env, from: { template: TEMPLATES[key] ?? `.Values.${program}.settings.${name}` } };
  });
}

/** All values, grouped as values.yaml shows them. */
export function chartValues(): ChartValue[] {
  return [
    ...common(),
    ...MONITORING,
    ...PROGRAMS.flatMap((program) => [...podValues(program), ...settingValues(program)]),
  ];
}

function settingValues(program: Program): ChartValue[] {
  return settingsOf(program).flatMap(({ name, schema, help }) => {
    const key = `${program}.${name}`;
    if (key in FROM_POD) return [];
    const different = IN_A_POD[key] ?? {};
    const { default: own, ...rest } = schema;
    return [
      {
        path: [program, 'settings', name],
        default: different.default ?? own,
        schema: { ...rest, ...different.schema },
        help: different.help ?? help,
      },
    ];
  });
}

function common(): ChartValue[] {
  return [
    {
      path: ['app.starlingx.io/component'],
      default: 'platform',
      schema: { enum: ['platform', 'application'] },
      help: 'On which cores the pods run: `platform`, the reserved ones, or `application`',
    },
    {
      path: ['imagePullSecrets'],
      default: [],
      schema: {
        type: 'array',
        items: {
          type: 'object',
          properties: { name: { type: 'string', minLength: 1 } },
          required: ['name'],
          additionalProperties: false,
        },
      },
      help: 'Secrets to pull the image with; the platform names its own',
    },
  ];
}

const MONITORING: readonly ChartValue[] = [
  {
    path: ['monitoring', 'scrape'],
    default: 'none',
    schema: { enum: ['none', 'annotations', 'podMonitor'] },
    help: 'How Prometheus finds the pods: `annotations` (prometheus.io/scrape) or `podMonitor`, for the Prometheus operator, which must be there. The agents must also listen for others: `agent.settings.healthHost`',
  },
  {
    path: ['monitoring', 'rules'],
    default: 'none',
    schema: { enum: ['none', 'configMap', 'prometheusRule'] },
    help: 'Alert rules (files/alerts.yaml): `configMap`, for whoever mounts it, or `prometheusRule`, for the Prometheus operator, which must be there',
  },
  {
    path: ['monitoring', 'dashboard'],
    default: false,
    schema: { type: 'boolean' },
    help: 'The Grafana dashboard (files/dashboard.json) in a ConfigMap with the label grafana_dashboard=1',
  },
  {
    path: ['monitoring', 'labels'],
    default: {},
    schema: { type: 'object', additionalProperties: { type: 'string' } },
    help: 'More labels of rules and PodMonitor: those that the Prometheus operator selects by',
  },
];

const RESOURCES: Readonly<Record<Program, unknown>> = {
  manager: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
  agent: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
};

function podValues(program: Program): ChartValue[] {
  return [
    {
      path: [program, 'image', 'repository'],
      default: 'docker.io/starlingx/ipsec-policy-operator',
      schema: { type: 'string', minLength: 1 },
      help: 'Image, without tag',
    },
    {
      path: [program, 'image', 'tag'],
      default: VERSION_PLACEHOLDER,
      schema: { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$' },
      help: "Tag of the image: the application's version, as text",
    },
    ...(program === 'manager' ? [REPLICAS] : []),
    {
      path: [program, 'resources'],
      default: RESOURCES[program],
      schema: {
        type: 'object',
        properties: { requests: QUANTITIES, limits: QUANTITIES },
        additionalProperties: false,
      },
      help: 'Requests and limits of the pod; no limit of the processor, which would only delay changes',
    },
  ];
}

const REPLICAS: ChartValue = {
  path: ['manager', 'replicas'],
  default: 1,
  schema: { type: 'integer', minimum: 1, maximum: 2 },
  help: 'Managers, of which one leads: one for each controller',
};

const QUANTITY: Schema = {
  type: ['string', 'number'],
  pattern: '^[0-9]+(\\.[0-9]+)?([mkMGTPE]|[KMGTPE]i)?$',
};
const QUANTITIES: Schema = {
  type: 'object',
  properties: { cpu: QUANTITY, memory: QUANTITY, 'ephemeral-storage': QUANTITY },
  additionalProperties: false,
};
