// One agent's pass over the model charon and a file that is a text: reads, diffs, applies step by step. What a real agent
// forgets when it dies is forgotten here too.
import type { ConnectionName, HostConfig } from '../../app/domain/host-config.ts';
import { parseConfText } from '../../app/swanctl/conf-parse.ts';
import { confText, contentText } from '../../app/swanctl/conf-text.ts';
import { diff } from '../../app/swanctl/diff.ts';
import { connectionTree } from '../../app/swanctl/host-config-tree.ts';
import { leftOverIds } from '../../app/swanctl/left-over.ts';
import type { FileState } from '../../app/swanctl/load-plan.ts';
import { readLoaded } from '../../app/swanctl/loaded.ts';
import type { Step } from '../../app/swanctl/steps.ts';
import type { Tree } from '../../app/swanctl/tree.ts';
import { ModelCharon } from './model-charon.ts';

const STEP_MS = 50;
/** Longer than an old IKE_SA is left alone (renew.ts). */
const PASS_MS = 16_000;

/** The platform's own, always in the files and never ours to touch. */
export const PLATFORM: ReadonlyMap<string, Tree> = new Map([
  [
    'system-nodes',
    { remote_addrs: ['%any'], children: { node: { mode: 'transport', start_action: 'trap' } } },
  ],
]);

export class ModelHost {
  readonly charon = new ModelCharon();
  file: string | undefined;
  #sent = new Map<ConnectionName, string>();
  #stale = new Set<number>();

  constructor() {
    this.charon.loadConns(PLATFORM);
    this.charon.initiate('system-nodes', 'node');
  }

  /** The steps of one pass as they were applied; it dies after `crashAfter` of them. `after` looks on after each. */
  pass(desired: HostConfig, after: (step: Step) => void = () => undefined, crashAfter = Infinity): Step[] {
    this.charon.nowMs += PASS_MS;
    const loaded = readLoaded(this.charon.answers());
    const steps = diff({
      desired,
      file: this.fileState(),
      loaded,
      sent: this.#sent,
      now: new Date(this.charon.nowMs).toISOString(),
      stale: this.#stale,
    });
    this.#stale = leftOverIds(desired, loaded);
    const applied = steps.slice(0, crashAfter);
    for (const step of applied) {
      this.charon.nowMs += STEP_MS;
      this.#apply(step);
      after(step);
    }
    if (steps.length > applied.length) this.agentRestarts();
    return applied;
  }

  agentRestarts(): void {
    this.#sent.clear();
    this.#stale.clear();
  }

  charonRestarts(): void {
    this.charon.restart();
    this.#sent.clear();
    this.charon.loadConns(this.files());
  }

  platformLoadsConns(): void {
    this.charon.loadConns(this.files());
  }

  fileState(): FileState {
    if (this.file === undefined) return undefined;
    const parsed = parseConfText(this.file);
    return 'config' in parsed ? parsed.config : { unreadable: parsed.error };
  }

  /** All connections of all files; of an unreadable file, none (18), which is why we never write one. */
  files(): Map<string, Tree> {
    const file = this.fileState();
    const ours = file !== undefined && 'connections' in file ? file.connections : [];
    return new Map([...PLATFORM, ...ours.map((item) => [item.name, connectionTree(item)] as const)]);
  }

  #apply(step: Step): void {
    switch (step.kind) {
      case 'write-file':
        this.file = confText(step.config);
        break;
      case 'remove-file':
        this.file = undefined;
        break;
      case 'load-connection':
        this.charon.load(step.connection.name, connectionTree(step.connection));
        this.#sent.set(step.connection.name, contentText(step.connection));
        break;
      case 'unload-connection':
        this.charon.unload(step.name);
        this.#sent.delete(step.name);
        break;
      case 'install-trap':
        this.charon.installTrap(step.connection, step.child);
        break;
      case 'terminate-child':
        this.charon.terminateChild(step.uniqueId);
        break;
      case 'terminate-ike':
        this.charon.terminateIke(step.uniqueId);
        break;
      // Without a child it holds nothing, and takes nothing away.
      case 'initiate-ike':
        break;
      case 'reauthenticate':
      case 'rekey-child':
        throw new Error('a diff never asks for it');
      case 'initiate':
        this.charon.initiate(step.connection, step.child);
        break;
    }
  }
}
