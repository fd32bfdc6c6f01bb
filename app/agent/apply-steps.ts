// Does what a diff says, in its order. A connection that charon refuses does not stop the others; a file that cannot be
// written stops everything behind it (invariant 6: file first). Nothing is decided here.
import type { Connection, ConnectionName, HostConfig } from '../domain/host-config.ts';
import { contentText } from '../swanctl/conf-text.ts';
import { connectionTree } from '../swanctl/host-config-tree.ts';
import type { Step } from '../swanctl/steps.ts';
import type { Charon } from '../vici/charon.ts';
import { ViciCommandError } from '../vici/errors.ts';

/** A connection that charon refused to load, with its words. */
export interface Refusal {
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

/** Loads that stand one after the other are sent without waiting: charon works through them in order. */
export async function applySteps(steps: readonly Step[], options: ApplyOptions): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  for (const batch of batches(steps)) {
    const results = await Promise.all(batch.map((step) => applyStep(step, options)));
    refusals.push(...results.filter((result) => result !== undefined));
  }
  return refusals;
}

function batches(steps: readonly Step[]): Step[][] {
  const result: Step[][] = [];
  for (const step of steps) {
    const last = result.at(-1);
    if (last?.[0]?.kind === step.kind && step.kind !== 'write-file') last.push(step);
    else result.push([step]);
  }
  return result;
}

async function applyStep(step: Step, options: ApplyOptions): Promise<Refusal | undefined> {
  const { charon, sent } = options;
  switch (step.kind) {
    case 'write-file':
      await options.writeFile(step.config);
      return undefined;
    case 'remove-file':
      await options.removeFile();
      return undefined;
    case 'load-connection':
      return load(step.connection, options);
    case 'unload-connection':
      sent.delete(step.name);
      return refused(step.name, charon.unloadConnection(step.name));
    // Not waited for: charon answers nothing else meanwhile, and the next look shows what became of it.
    case 'terminate-child':
      return refused(step.connection, charon.terminate({ childId: step.uniqueId, timeoutMs: -1 }));
    case 'terminate-ike':
      return refused(step.connection, charon.terminate({ ikeId: step.uniqueId, timeoutMs: -1 }));
    case 'reauthenticate':
      return refused(step.connection, charon.rekey({ ikeId: step.uniqueId, reauth: true }));
    case 'initiate':
      return refused(
        step.connection,
        charon.initiate({ ike: step.connection, child: step.child, timeoutMs: -1 }),
      );
    case 'guard-add':
    case 'guard-remove':
      throw new Error(`${step.kind} is not applied by charon`);
  }
}

async function load(connection: Connection, { charon, sent }: ApplyOptions): Promise<Refusal | undefined> {
  // Until charon has said yes nothing is known about what it has.
  sent.delete(connection.name);
  const refusal = await refused(
    connection.name,
    charon.loadConnection(connection.name, connectionTree(connection)),
  );
  if (refusal === undefined) sent.set(connection.name, contentText(connection));
  return refusal;
}

/** charon's own no is a result; a lost connection is thrown. */
async function refused(connection: ConnectionName, command: Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await command;
    return undefined;
  } catch (error) {
    if (error instanceof ViciCommandError) return { connection, message: error.message };
    throw error;
  }
}
