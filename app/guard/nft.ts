// Runs nft, the one program that this project runs, and says in typed errors what went wrong. Input goes in on stdin, there is
// no shell, and every byte of it was formatted by ruleset.ts and plan-guard.ts. What to run: guard.ts.
import { spawn } from 'node:child_process';
import type { Retry, WorldError } from '../runtime/errors.ts';

/**
 * missing: there is no nft; unsupported: the kernel lacks nf_tables, a family or an expression; permission: no CAP_NET_ADMIN;
 * refused: the kernel or nft did not take the commands, as when somebody else changed the table meanwhile; timeout; unreadable.
 */
export type GuardFailure = 'missing' | 'unsupported' | 'permission' | 'refused' | 'timeout' | 'unreadable';

/** The guard could not be read or changed. A refused transaction has changed nothing. */
export class GuardError extends Error implements WorldError {
  override readonly name = 'GuardError';
  readonly failure: GuardFailure;
  readonly retry: Retry;

  constructor(failure: GuardFailure, message: string, cause?: unknown) {
    super(message, { cause });
    this.failure = failure;
    // A module may be loaded later, rights and a program that are missing come with another pod.
    this.retry = failure === 'missing' || failure === 'permission' ? 'on-change' : 'soon';
  }
}

export interface Nft {
  /** Applies commands as one transaction. */
  apply(commands: string): Promise<void>;
  /** What `nft --json list ...` prints. */
  list(...words: readonly string[]): Promise<string>;
}

export interface NftOptions {
  /** Program and first arguments; `nft` from the PATH by default. */
  readonly command?: readonly [string, ...string[]];
  /** 30 s by default: 100,000 elements take 8 s in user-mode Linux (measured). */
  readonly timeoutMs?: number;
}

export function nftProgram({ command = ['nft'], timeoutMs = 30_000 }: NftOptions = {}): Nft {
  const run = (args: readonly string[], input: string): Promise<string> =>
    runProgram([...command, ...args], input, timeoutMs);
  return {
    apply: async (commands) => {
      await run(['--file', '-'], commands);
    },
    list: (...words) => run(['--json', '--numeric', 'list', ...words], ''),
  };
}

async function runProgram(words: readonly string[], input: string, timeoutMs: number): Promise<string> {
  const [program = '', ...args] = words;
  const child = spawn(program, args, { stdio: 'pipe', timeout: timeoutMs, killSignal: 'SIGKILL' });
  const output: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  // A program that ends early breaks the pipe; its exit says why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const { code, signal } = await ended(child, program);
  if (code === 0) return Buffer.concat(output).toString();
  if (signal !== null)
    throw new GuardError('timeout', `nft was stopped by ${signal} (limit ${timeoutMs} ms)`);
  throw complaint(Buffer.concat(complaints).toString());
}

function ended(
  child: ReturnType<typeof spawn>,
  program: string,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new GuardError('missing', `${program} cannot be run`, error)));
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

/** What it means that nft says this: the kernel's errno as nft 1.0.6 words it. `No such file or directory` of a rule: a module for its expression is missing. */
export function complaint(text: string): GuardError {
  const line = text.split('\n').find((candidate) => candidate.includes('rror')) ?? text.trim();
  const message = `nft: ${line.slice(0, 300)}`;
  if (/Operation not permitted|Permission denied/.test(text)) return new GuardError('permission', message);
  const isUnsupported =
    /not supported|Unable to initialize Netlink socket|cache initialization failed/.test(text) ||
    /No such file or directory\n(create table|add (chain|rule|set))/.test(text);
  return new GuardError(isUnsupported ? 'unsupported' : 'refused', message);
}
