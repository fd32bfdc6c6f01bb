// Is a sign of a fault there, and in which words? One question each to the API server, to /metrics and to `status`, as a person asks.
import { join } from 'node:path';
import { runCommand } from '../../support/run-command.ts';
import type { KubeObject } from '../lab/api.ts';
import {
  isNone,
  type ConditionSign,
  type EventSign,
  type MetricSign,
  type Signs,
  type SignName,
  type StatusSign,
} from './fault.ts';
import type { FaultScene } from './scene.ts';
import { POLICY } from './table.ts';

const BUNDLE = join(import.meta.dirname, '../../../dist/ipsec-policy-operator.mjs');

/** How things stood before the fault. */
export interface Before {
  /** Wall clock in milliseconds. */
  readonly atMs: number;
  /** What the metric was; undefined: there was no such sample. */
  readonly metric: number | undefined;
}

/** The text of a sign that is there; undefined while it is not. */
export type Look = (scene: FaultScene, before: Before) => Promise<string | undefined>;

/** Of the signs that the fault has. */
export function looks(signs: Signs): Partial<Record<SignName, Look>> {
  const { condition, event, metric, status } = signs;
  return {
    ...(isNone(condition) ? {} : { condition: (scene) => conditionText(scene, condition) }),
    ...(isNone(event) ? {} : { event: (scene, before) => eventText(scene, event, before) }),
    ...(isNone(metric) ? {} : { metric: (scene, before) => metricText(scene, metric, before) }),
    ...(isNone(status) ? {} : { status: (scene) => statusText(scene, status) }),
  };
}

async function conditionText({ op }: FaultScene, sign: ConditionSign): Promise<string | undefined> {
  const found = await op.condition(POLICY, sign.type);
  if (found?.status !== 'False' || found.reason !== sign.reason || !sign.says.test(found.message))
    return undefined;
  return `${found.type}=${found.status} ${found.reason}: ${found.message}`;
}

/** The policy is as it should be. */
export async function isGood({ op }: FaultScene): Promise<boolean> {
  const found = await Promise.all(
    ['Accepted', 'ResolvedRefs', 'Programmed'].map((type) => op.condition(POLICY, type)),
  );
  return found.every((condition) => condition?.status === 'True');
}

interface EventObject extends KubeObject {
  readonly eventTime: string;
  readonly type: 'Warning' | 'Normal';
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly kind: string; readonly name: string };
}

/** About the object of the sign, since then. */
async function eventsOf(
  { lab }: FaultScene,
  { on, name }: EventSign,
  sinceMs: number,
): Promise<readonly EventObject[]> {
  const all = (await lab.api.list(
    '/apis/events.k8s.io/v1/namespaces/default/events',
  )) as readonly EventObject[];
  return all
    .filter(({ regarding }) => regarding.kind === on && regarding.name === name)
    .filter(({ eventTime }) => Date.parse(eventTime) >= sinceMs);
}

async function eventText(scene: FaultScene, sign: EventSign, { atMs }: Before): Promise<string | undefined> {
  const found = (await eventsOf(scene, sign, atMs)).find(({ reason }) => reason === sign.reason);
  return found && `${found.type} ${found.reason} ${sign.on.toLowerCase()}/${sign.name} ${found.note}`;
}

/** Two events of one kind in a minute, and no third (manager/news.ts): whether the fault would be told of at once. */
export async function isQuiet(scene: FaultScene, sign: EventSign): Promise<boolean> {
  const all = await eventsOf(scene, sign, Date.now() - 61_000);
  return !all.some((event) => event.reason === sign.reason || isRecovery(event, sign));
}

function isRecovery({ type, reason, note }: EventObject, sign: EventSign): boolean {
  if (sign.reason === 'NotProgrammed') return reason === 'Programmed';
  return type === 'Normal' && reason === 'Recovered' && note.includes(`${sign.reason} is over`);
}

/** It is said that what the sign told of is over, or that the policy is in force. */
export async function recoveryText(
  scene: FaultScene,
  sign: EventSign,
  sinceMs: number,
): Promise<string | undefined> {
  const found = (await eventsOf(scene, sign, sinceMs)).find((event) => isRecovery(event, sign));
  return found && `${found.type} ${found.reason} ${sign.on.toLowerCase()}/${sign.name} ${found.note}`;
}

async function metricText(scene: FaultScene, sign: MetricSign, before: Before): Promise<string | undefined> {
  const named = nameOf(sign);
  const exposition = await scrape(scene, sign);
  if (exposition === undefined)
    return sign.becomes === 'unreadable' ? `no answer from ${sign.of}` : undefined;
  const value = sampleOf(exposition, sign);
  if (value === undefined) return sign.becomes === 'absent' ? `${named} is absent` : undefined;
  const isThere = { zero: value === 0, 'above zero': value > 0, grows: value > (before.metric ?? 0) };
  return sign.becomes in isThere && isThere[sign.becomes as keyof typeof isThere]
    ? `${named} ${value}`
    : undefined;
}

export async function metricValue(scene: FaultScene, sign: Signs['metric']): Promise<number | undefined> {
  if (isNone(sign)) return undefined;
  const exposition = await scrape(scene, sign);
  return exposition === undefined ? undefined : sampleOf(exposition, sign);
}

async function scrape(scene: FaultScene, { of }: MetricSign): Promise<string | undefined> {
  try {
    const response = await fetch(scene.metricsUrl(of), { signal: AbortSignal.timeout(3000) });
    return await response.text();
  } catch {
    return undefined;
  }
}

function nameOf({ name, labels = {} }: MetricSign): string {
  const texts = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return texts.length === 0 ? name : `${name}{${texts.join(',')}}`;
}

function sampleOf(exposition: string, sign: MetricSign): number | undefined {
  const start = `${nameOf(sign)} `;
  const line = exposition.split('\n').find((text) => text.startsWith(start));
  return line === undefined ? undefined : Number(line.slice(start.length));
}

export async function statusOutput({ lab }: FaultScene): Promise<string> {
  const { stdout } = await runCommand(['status'], { KUBECONFIG: lab.cluster.adminKubeconfig }, [
    process.execPath,
    BUNDLE,
  ]);
  return stdout;
}

async function statusText(scene: FaultScene, { line }: StatusSign): Promise<string | undefined> {
  const lines = (await statusOutput(scene)).split('\n').map((text) => text.trim());
  return lines.find((text) => line.test(text));
}
