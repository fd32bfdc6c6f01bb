// Every setting in one table: read once from the environment, checked, frozen. The table is also the reference page, by way of
// settings-text.ts.
import { Ajv, type ErrorObject } from 'ajv';
import { SettingsError } from './errors.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import { schemaSentences, shownValue } from './schema-errors.ts';

/** One environment variable. */
export interface Setting {
  /** Environment variable. */
  readonly env: string;
  /** JSON schema of one value; `default` makes it optional. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** What the pattern of the schema allows, in words, with an example. */
  readonly form?: string;
  readonly help: string;
  /** Which program reads it. */
  readonly program: 'both' | 'manager' | 'agent';
}

const seconds = (defaultSeconds: number, minimum = 1): Record<string, unknown> => ({
  type: 'integer',
  minimum,
  maximum: 604_800,
  default: defaultSeconds,
});
const proposal = (value: string): Pick<Setting, 'schema' | 'form'> => ({
  schema: { type: 'string', pattern: '^[a-z0-9-]{3,100}$', default: value },
  form: `algorithms in strongSwan's words joined by "-", e.g. ${value}`,
});

/** Names of Nodes and pods. */
const SUBDOMAIN = '[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?';
const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';

/** Names are the fields of `Settings`; times are in the unit the name ends in. */
export const SETTINGS = {
  logLevel: {
    env: 'LOG_LEVEL',
    schema: { enum: LOG_LEVELS, default: 'info' },
    help: 'Least severe line that is logged',
    program: 'both',
  },
  healthHost: {
    env: 'HEALTH_HOST',
    schema: { type: 'string', default: '0.0.0.0' },
    help: 'Address of the health and metrics port',
    program: 'both',
  },
  healthPort: {
    env: 'HEALTH_PORT',
    schema: { type: 'integer', minimum: 0, maximum: 65535, default: 9822 },
    help: 'Port of /healthz, /readyz and /metrics; 0 takes any',
    program: 'both',
  },
  kubeconfig: {
    env: 'KUBECONFIG',
    schema: { type: 'string', default: '' },
    help: 'File with the cluster and credentials; empty: the service account of the pod',
    program: 'both',
  },
  namespace: {
    env: 'POD_NAMESPACE',
    schema: { type: 'string', pattern: `^${LABEL}$`, default: 'ipsec-policy-operator' },
    form: 'the name of a namespace: lower-case letters, digits and "-", e.g. kube-system',
    help: 'Namespace of the leader Lease',
    program: 'manager',
  },
  identity: {
    env: 'POD_NAME',
    schema: { type: 'string', pattern: `^(${SUBDOMAIN})?$`, default: '' },
    form: 'the name of a pod: lower-case letters, digits, "-" and ".", e.g. ipsec-policy-manager-0',
    help: 'Name in the leader Lease; empty: the host name and a random part',
    program: 'manager',
  },
  leaseSeconds: {
    env: 'LEASE_SECONDS',
    schema: seconds(15, 3),
    help: 'How long a leader that fell silent keeps the Lease',
    program: 'manager',
  },
  stageWaitSeconds: {
    env: 'STAGE_WAIT_SECONDS',
    schema: seconds(30),
    help: 'How long a Ready host that does not report holds a stage back',
    program: 'manager',
  },
  ikeProposal: {
    env: 'IKE_PROPOSAL',
    ...proposal('aes128-sha256-prfaesxcbc-modp3072'),
    help: 'IKE proposal of all connections',
    program: 'manager',
  },
  espProposal: {
    env: 'ESP_PROPOSAL',
    ...proposal('aes128gcm16'),
    help: 'ESP proposal of all children',
    program: 'manager',
  },
  ikeReauthSeconds: {
    env: 'IKE_REAUTH_SECONDS',
    schema: seconds(14_400, 10),
    help: 'Reauthentication of an IKE_SA',
    program: 'manager',
  },
  ikeRekeySeconds: {
    env: 'IKE_REKEY_SECONDS',
    schema: seconds(3600, 10),
    help: 'Rekeying of an IKE_SA',
    program: 'manager',
  },
  childRekeySeconds: {
    env: 'CHILD_REKEY_SECONDS',
    schema: seconds(3600, 10),
    help: 'Rekeying of a CHILD_SA',
    program: 'manager',
  },
  dpdSeconds: { env: 'DPD_SECONDS', schema: seconds(10), help: 'Dead peer detection', program: 'manager' },
  caId: {
    env: 'CA_ID',
    schema: { type: 'string', pattern: '^$|^[A-Za-z0-9 =,._-]{1,200}$', default: '' },
    form: 'a distinguished name of letters, digits, blanks and =,._- (200 characters at most), e.g. CN=starlingx',
    help: 'Subject of the CA that must have issued the certificate of a peer; empty: any CA of the platform',
    program: 'manager',
  },
  guardMode: {
    env: 'GUARD_MODE',
    schema: { enum: ['enforce', 'observe', 'off'], default: 'enforce' },
    help: 'What the guard does with packets without IPsec',
    program: 'manager',
  },
  nodeName: {
    env: 'NODE_NAME',
    schema: { type: 'string', pattern: `^${SUBDOMAIN}$` },
    form: 'the name of a Node: lower-case letters, digits, "-" and ".", e.g. controller-0',
    help: 'Name of the Node the agent runs on',
    program: 'agent',
  },
  viciSocket: {
    env: 'VICI_SOCKET',
    schema: { type: 'string', pattern: '^/', default: '/var/run/charon.vici' },
    form: 'a path from the root, e.g. /var/run/charon.vici',
    help: "charon's VICI socket",
    program: 'agent',
  },
  confFile: {
    env: 'CONF_FILE',
    schema: { type: 'string', pattern: '^/.*\\.conf$', default: '/etc/swanctl/conf.d/k8s-nodes.conf' },
    form: 'a path from the root that ends in .conf, e.g. /etc/swanctl/conf.d/k8s-nodes.conf',
    help: 'Our file of connections',
    program: 'agent',
  },
  localInterfaces: {
    env: 'LOCAL_INTERFACES',
    schema: { type: 'string', pattern: '^[a-z0-9]{1,14}\\*?$', default: 'cali*' },
    form: 'the name of an interface, of lower-case letters and digits, with * at the end for all that begin so, e.g. cali*',
    help: 'Interfaces of the pods of a host; what comes from or goes to them has not left the host',
    program: 'agent',
  },
  verifySeconds: {
    env: 'VERIFY_SECONDS',
    schema: seconds(5),
    help: 'How often charon is read back while nothing changes',
    program: 'agent',
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof SETTINGS;
type Numeric = Extract<SettingName, 'healthPort' | `${string}Seconds`>;

/** All settings of a program; those of the other program have their defaults. */
export type Settings = Readonly<
  Record<Exclude<SettingName, Numeric | 'logLevel' | 'guardMode'>, string> &
    Record<Numeric, number> & { logLevel: LogLevel; guardMode: 'enforce' | 'observe' | 'off' }
>;

/** Reads and checks the settings of one program. Throws SettingsError naming the variable and what is allowed. */
export function readSettings(program: 'manager' | 'agent', environment: NodeJS.ProcessEnv): Settings {
  const entries = Object.entries<Setting>(SETTINGS).filter(
    ([, setting]) => setting.program === program || setting.program === 'both',
  );
  const given = Object.fromEntries(
    entries.flatMap(([, { env }]) => (environment[env] === undefined ? [] : [[env, environment[env]]])),
  ) as Record<string, unknown>;
  const schema = {
    type: 'object',
    properties: Object.fromEntries(entries.map(([, { env, schema: one }]) => [env, one])),
    required: entries.filter(([, { schema: one }]) => one['default'] === undefined).map(([, { env }]) => env),
  };
  const coercing = { coerceTypes: true, useDefaults: true, allErrors: true, verbose: true } as const;
  const validate = new Ajv({ ...coercing, meta: false, validateSchema: false }).compile(schema);
  if (!validate(given)) {
    const table = new Map(entries.map(([, setting]) => [setting.env, setting]));
    const details = (validate.errors ?? []).map((error) => describe(error, table));
    throw new SettingsError(`wrong settings: ${details.join('; ')}`);
  }
  const defaults = Object.entries<Setting>(SETTINGS).map(([name, { schema: one }]) => [
    name,
    one['default'] ?? '',
  ]);
  const read = entries.map(([name, { env }]) => [name, given[env]]);
  return Object.freeze(Object.fromEntries([...defaults, ...read])) as Settings;
}

/** Names the variable, what is wrong with it, what may be set, and what it is for. */
function describe(error: ErrorObject, table: ReadonlyMap<string, Setting>): string {
  const { missingProperty } = error.params as { readonly missingProperty?: string };
  const setting = table.get(missingProperty ?? error.instancePath.slice(1));
  const form = error.keyword === 'pattern' ? setting?.form : undefined;
  const wrong =
    form === undefined
      ? schemaSentences([error]).join('')
      : `${setting?.env ?? ''} must be ${form}, not ${shownValue(error.data)}`;
  return `${wrong} (${setting?.help ?? ''})`;
}

/** What may be set, in words; empty when anything may. */
export function allowedWords({ schema, form }: Setting): string {
  const {
    enum: choices,
    minimum,
    maximum,
  } = schema as {
    readonly enum?: readonly string[];
    readonly minimum?: number;
    readonly maximum?: number;
  };
  if (choices !== undefined) return choices.join(', ');
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  return form ?? '';
}
