// One host for tests of the agent's pass: a fake charon, a file that is a text, a clock that a test moves, and facts that a test
// sets. What the agent did stands in one list, in order.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentPass } from '../../app/agent/agent-pass.ts';
import { charonLink, type CharonLink } from '../../app/agent/charon-link.ts';
import type { KnownFacts } from '../../app/agent/facts-source.ts';
import { guardKeeper } from '../../app/agent/guard-keeper.ts';
import type { Facts, HostName, HostReport } from '../../app/domain/facts.ts';
import type { HostConfig } from '../../app/domain/host-config.ts';
import { FileError } from '../../app/runtime/errors.ts';
import { parseConfText } from '../../app/swanctl/conf-parse.ts';
import { confText } from '../../app/swanctl/conf-text.ts';
import { text, type Tree } from '../../app/swanctl/tree.ts';
import { capturedLog, type CapturedLog } from './captured-log.ts';
import { CONTROLLER_0 } from './facts-builders.ts';
import { fakeNft, type FakeNft } from './fake-nft.ts';
import { startFakeCharon, type FakeCharon } from './fake-charon.ts';
import { virtualClock, type VirtualClock } from './virtual-clock.ts';

export const VERIFY_MS = 5000;

export interface AgentHost {
  charon: FakeCharon;
  /** Our file. */
  file: string | undefined;
  /** The next writes of the file fail. */
  isDiskFull: boolean;
  /** The kernel's tables; ours is kept there only when the host was started with a guard. */
  readonly nft: FakeNft;
  /** How often the guard was put back. */
  repairs: number;
  known: KnownFacts | undefined;
  readonly clock: VirtualClock;
  readonly lines: CapturedLog['lines'];
  readonly reports: HostReport[];
  /** How often something happened that calls for a pass. */
  triggers: number;
  /** How many sessions were lost. */
  losses: number;
  /** One pass; gives after how many milliseconds it wants to run again. */
  pass(): Promise<number>;
  /** One pass that ends with an error, which is given. */
  failingPass(): Promise<Error>;
  /** What was done to guard, file and charon since the last call: `nft create`, `write-file`, `load-conn k8s-node-worker-0`. */
  done(): string[];
  report(): HostReport;
  /** Another charon on the same socket, as after a crash of the whole process. */
  replaceCharon(): Promise<void>;
  /** Another agent process: it has the file and nothing else. */
  restartAgent(): void;
  stop(): Promise<void>;
}

export interface AgentHostOptions {
  readonly self?: HostName;
  readonly hasGuard?: boolean;
}

export async function startAgentHost(
  facts?: Facts,
  { self = CONTROLLER_0, hasGuard = false }: AgentHostOptions = {},
): Promise<AgentHost> {
  const directory = mkdtempSync(join(tmpdir(), 'agent-host-'));
  const path = join(directory, 'charon.vici');
  const clock = virtualClock();
  const { log, lines } = capturedLog();
  let seen = 0;

  const host: AgentHost = {
    charon: await startFakeCharon({ path }),
    file: undefined,
    isDiskFull: false,
    nft: fakeNft((what) => did(`nft ${what}`)),
    repairs: 0,
    known: facts === undefined ? undefined : { facts, problems: [] },
    clock,
    lines,
    reports: [],
    triggers: 0,
    losses: 0,
    pass: () => agent.run(),
    failingPass: async () => {
      try {
        await agent.run();
      } catch (error) {
        return error as Error;
      }
      throw new Error('the pass went well');
    },
    done: () => {
      const all = host.charon.commands.slice(seen);
      seen = host.charon.commands.length;
      return all.map(describeCommand).filter((line) => line !== undefined);
    },
    report: () => {
      const report = host.reports.at(-1);
      if (report === undefined) throw new Error('nothing was reported');
      return report;
    },
    replaceCharon: async () => {
      await host.charon.stop();
      host.charon = await startFakeCharon({ path });
      seen = 0;
    },
    restartAgent: () => {
      agent.link.close();
      agent = startAgent();
    },
    stop: async () => {
      agent.link.close();
      await host.charon.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  const did = (command: string): void => {
    host.charon.commands.push({ command, message: {} });
  };
  const startAgent = (): { readonly link: CharonLink; readonly run: () => Promise<number> } => {
    const link = charonLink({
      path,
      timeoutMs: 60_000,
      onEvent: () => {
        host.triggers += 1;
      },
      onLost: () => {
        host.triggers += 1;
        host.losses += 1;
      },
    });
    const guard = guardKeeper({
      nft: host.nft,
      localInterfaces: 'cali*',
      clock: host.clock,
      log,
      watcher: { onCounters: () => undefined, onRepair: () => (host.repairs += 1) },
    });
    const run = agentPass({
      self,
      ...(hasGuard && { guard }),
      facts: () => host.known,
      link,
      conf: {
        read: async () => Promise.resolve(host.file === undefined ? undefined : fileState(host.file)),
        write: async (config: HostConfig) => {
          if (host.isDiskFull) throw new FileError('cannot write k8s-nodes.conf', new Error('no space left'));
          did('write-file');
          host.file = confText(config);
          return Promise.resolve();
        },
        remove: async () => {
          did('remove-file');
          host.file = undefined;
          return Promise.resolve();
        },
      },
      report: (report) => host.reports.push(report),
      clock,
      log,
      random: () => 0.5,
      verifyMs: VERIFY_MS,
    });
    return { link, run };
  };
  let agent = startAgent();
  return host;
}

function fileState(content: string): HostConfig | { readonly unreadable: string } {
  const parsed = parseConfText(content);
  return 'config' in parsed ? parsed.config : { unreadable: parsed.error };
}

/** Commands that change something, with what they are about; undefined for those that only ask. */
function describeCommand({ command, message }: { command: string; message: Tree }): string | undefined {
  if (/^(list-|version|get-)/.test(command)) return undefined;
  if (command === 'load-conn') return `load-conn ${Object.keys(message).join(' ')}`;
  const about = ['name', 'ike', 'child', 'ike-id', 'child-id'].flatMap((key) => text(message, key) ?? []);
  return [command, ...about].join(' ');
}
