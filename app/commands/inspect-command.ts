// `inspect`: run on a host, in the agent's container: prints what this host has as one line of JSON. Reads only; the agent beside
// it is not disturbed (charon answers several clients, nft only lists).
import { nftProgram } from '../guard/nft.ts';
import { readTableNames } from '../guard/read-back.ts';
import { readConfText } from '../host/conf-file.ts';
import { describeError, isWorldError } from '../runtime/errors.ts';
import { readSettings, type Settings } from '../runtime/settings.ts';
import { connectCharon } from '../vici/charon.ts';
import { readArguments } from './arguments.ts';
import type { Answer, CharonEvidence, Evidence } from './evidence.ts';
import type { Surroundings } from './surroundings.ts';

export type InspectSettings = Pick<
  Settings,
  'nodeName' | 'viciSocket' | 'confFile' | 'localInterfaces' | 'healthHost' | 'healthPort'
>;

const TIMEOUT_MS = 10_000;
/** An agent that hangs has its port open and answers nothing; the rest is all the more wanted then. */
const METRICS_TIMEOUT_MS = 2000;

/** Gives the exit code. Throws UsageError, SettingsError. */
export async function runInspect(words: readonly string[], surroundings: Surroundings): Promise<number> {
  readArguments(words, { options: {}, words: [], usage: 'inspect' });
  const settings = readSettings('agent', surroundings.environment);
  const evidence = await inspect(settings, surroundings.clock.now());
  surroundings.stdout.write(`${JSON.stringify(evidence)}\n`);
  return 0;
}

/** Whatever cannot be read is said so in its place; never throws on a failure of the world. */
export async function inspect(settings: InspectSettings, nowMs: number): Promise<Evidence> {
  const [charon, file, guard, metrics] = await Promise.all([
    answer(() => readCharon(settings.viciSocket)),
    answer(async () => (await readConfText(settings.confFile)) ?? ''),
    answer(readGuard),
    answer(() => readMetrics(settings)),
  ]);
  const { nodeName: host, localInterfaces } = settings;
  const takenAt = new Date(nowMs).toISOString();
  return { format: 1, host, takenAt, localInterfaces, charon, file, guard, metrics };
}

async function answer<T>(read: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { said: await read() };
  } catch (error) {
    // fetch throws a TypeError when nobody listens, a DOMException when its time is over.
    const isFetch = error instanceof TypeError || error instanceof DOMException;
    if (!isWorldError(error) && !isFetch) throw error;
    return { failed: describeError(error) };
  }
}

async function readCharon(path: string): Promise<CharonEvidence> {
  const charon = await connectCharon({ path, timeoutMs: TIMEOUT_MS });
  try {
    const [version, connections, sas, policies, stats] = await Promise.all([
      charon.version(),
      charon.listConnections(),
      charon.listSas(),
      charon.listPolicies({ trap: true, pass: true }),
      charon.stats(),
    ]);
    return { version, connections, sas, policies, stats };
  } finally {
    charon.close();
  }
}

async function readGuard(): Promise<Readonly<Record<string, string>>> {
  const nft = nftProgram({ timeoutMs: TIMEOUT_MS });
  const names = readTableNames(await nft.list('tables', 'inet')) ?? [];
  const tables: [string, string][] = [];
  for (const name of names) tables.push([name, await nft.list('table', 'inet', name)]);
  return Object.fromEntries(tables);
}

async function readMetrics({ healthHost, healthPort }: InspectSettings): Promise<string> {
  const any = ['0.0.0.0', '::'].includes(healthHost) ? '127.0.0.1' : healthHost;
  const url = `http://${any.includes(':') ? `[${any}]` : any}:${healthPort}/metrics`;
  const response = await fetch(url, { signal: AbortSignal.timeout(METRICS_TIMEOUT_MS) });
  return await response.text();
}
