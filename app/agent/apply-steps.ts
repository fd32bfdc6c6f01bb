// Does what a diff says, in its order. A connection that charon refuses does not stop the others; a file that cannot be
// written stops everything behind it (invariant 6: file first). Nothing is decided here.
import type { Connection, ConnectionName, HostConfig } from '../domain/host-config.ts';
import { contentText } from '../swanctl/conf-text.ts';
import { connectionTree } from '../swanctl/host-config-tree.ts';
import type { Step } from '../swanctl/steps.ts';
import type { Charon } from '../vici/charon.ts';
import { ViciCommandError, ViciProtocolError } from '../vici/errors.ts';

/** Something that charon would not do, with its words. Only a refused load is more than a matter of the moment. */
export interface Refusal {
  readonly kind: Step['kind'];
  readonly connection: ConnectionName;
  readonly message: string;
}

export interface ApplyOptions {
  readonly charon: Charon;
  readonly writeFile: (config: HostConfig) => Promise<void>;
  readonly removeFile: () => Promise<void>;
  /** What this session has loaded, by connection (`sent` of diff.ts); kept up to date here. */
  readonly sent: Map<ConnectionName, string>;
}

type Initiation = Extract<Step, { kind: 'initiate' | 'initiate-ike' }>;

function isInitiation(step: Step): step is Initiation {
  return step.kind === 'initiate' || step.kind === 'initiate-ike';
}

/** Steps of one kind that stand one after the other are sent without waiting: charon works through them in order. */
export async function applySteps(steps: readonly Step[], options: ApplyOptions): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  const parts = batches(steps);
  for (const [position, batch] of parts.entries()) {
    const isBeforeLoads = parts.slice(position).some(([step]) => step?.kind === 'load-connection');
    const initiations = isBeforeLoads ? batch.filter(isInitiation) : [];
    const results =
      initiations.length > 0
        ? await initiateInTurn(initiations, options)
        : await Promise.all(batch.map((step) => applyStep(step, { ...options, waitMs: NOT_AT_ALL })));
    refusals.push(...results.filter((result) => result !== undefined));
  }
  return refusals;
}

/** So many initiations before loads are waited for, each so long; charon answers nothing else meanwhile. */
const WAITED_FOR = 16;
const INITIATE_MS = 2000;
const NOT_AT_ALL = -1;
/** After so many peers that did not answer nobody is waited for: loads, and what the guard holds after them, come late. */
const SILENT_PEERS = 3;

/** Live flows whose traps come next: their packets would be dropped until the SA is there. A silent peer is waited for once. */
async function initiateInTurn(
  steps: readonly Initiation[],
  options: ApplyOptions,
): Promise<(Refusal | undefined)[]> {
  const silent = new Set<ConnectionName>();
  const results: (Refusal | undefined)[] = [];
  for (const [position, step] of steps.entries()) {
    const isWaitedFor = position < WAITED_FOR && !silent.has(step.connection) && silent.size < SILENT_PEERS;
    const waitMs = isWaitedFor ? INITIATE_MS : NOT_AT_ALL;
    const result = await applyStep(step, { ...options, waitMs });
    if (result !== undefined) silent.add(result.connection);
    results.push(result);
  }
  return results;
}

type StepOptions = ApplyOptions & { readonly waitMs: number };

function batches(steps: readonly Step[]): Step[][] {
  const result: Step[][] = [];
  for (const step of steps) {
    const last = result.at(-1);
    if (last?.[0] !== undefined && areAlike(last[0], step)) last.push(step);
    else result.push([step]);
  }
  return result;
}

function areAlike(one: Step, other: Step): boolean {
  return one.kind === other.kind || (isInitiation(one) && isInitiation(other));
}

async function applyStep(step: Step, options: StepOptions): Promise<Refusal | undefined> {
  switch (step.kind) {
    case 'write-file':
      await options.writeFile(step.config);
      return undefined;
    case 'remove-file':
      await options.removeFile();
      return undefined;
    default:
      return ask(step, options);
  }
}

type CharonStep = Exclude<Step, { kind: 'write-file' | 'remove-file' }>;

/** charon's own no is a result; a lost connection is thrown. */
async function ask(step: CharonStep, options: StepOptions): Promise<Refusal | undefined> {
  try {
    await send(step, options);
    return undefined;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { kind: step.kind, connection: nameOf(step), message: error.message };
  }
}

/** A message too large to be sent concerns its connection alone, as charon's no does. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof ViciProtocolError) return error.retry === 'on-change';
  return error instanceof ViciCommandError;
}

/** Ends are not waited for: charon answers nothing else meanwhile, and the next look shows what became of them. */
async function send(step: CharonStep, { charon, sent, waitMs }: StepOptions): Promise<unknown> {
  switch (step.kind) {
    case 'load-connection':
      return load(step.connection, charon, sent);
    case 'unload-connection':
      sent.delete(step.name);
      return charon.unloadConnection(step.name);
    case 'install-trap':
      return charon.installTrap({ ike: step.connection, child: step.child });
    case 'terminate-child':
      return charon.terminate({ childId: step.uniqueId, timeoutMs: -1 });
    case 'rekey-child':
      return charon.rekey({ childId: step.uniqueId });
    case 'terminate-ike':
      return charon.terminate({ ikeId: step.uniqueId, timeoutMs: -1 });
    case 'reauthenticate':
      return charon.rekey({ ikeId: step.uniqueId, reauth: true });
    case 'initiate-ike':
      return charon.initiate({ ike: step.connection, timeoutMs: waitMs });
    case 'initiate':
      return charon.initiate({ ike: step.connection, child: step.child, timeoutMs: waitMs });
  }
}

async function load(connection: Connection, charon: Charon, sent: ApplyOptions['sent']): Promise<void> {
  // Until charon has said yes nothing is known about what it has.
  sent.delete(connection.name);
  await charon.loadConnection(connection.name, connectionTree(connection));
  sent.set(connection.name, contentText(connection));
}

function nameOf(step: CharonStep): ConnectionName {
  if (step.kind === 'load-connection') return step.connection.name;
  return step.kind === 'unload-connection' ? step.name : step.connection;
}
