// An nft that stays: starting the program costs a fork of this process and more than the work itself (a look of 22 ms becomes one
// of 3, and in user-mode Linux one of a second a tenth of that). It reads commands as lines and prints one line of JSON for each
// list; nothing tells how a command went that prints nothing, so that each request ends with a list of something small. What is
// large goes to a program of its own: nft.ts, which also says what went wrong.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { complaint, GuardError, type Nft, type NftOptions } from './nft.ts';

export interface NftSession extends Nft {
  /** Ends the program. */
  close(): void;
}

/** Ends each request: one line, of an address family in which nobody has many tables. */
const LAST = 'list tables netdev';
/** Longer transactions are for a program of their own: a line is read character by character. */
const SHORT = 16_000;
/** One that complains and answers nothing more, as without rights, is given up after this. */
const COMPLAINED_MS = 1000;
/** What the line editor says at its start where there is no terminal to look up, as in our image. */
const NO_TERMINAL =
  /^(No entry for terminal type .*|Cannot read termcap database);\nusing dumb terminal settings\.\n/;
/** nft remembers its input for the user: a new one after so many requests. */
const REQUESTS = 1000;

/** `program` does what this one does not. */
export function nftSession(program: Nft, options: NftOptions = {}): NftSession {
  let current: Interactive | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const ask = async (line: string, answers: number): Promise<string> => {
    if (current === undefined || current.isOver() || current.requests() >= REQUESTS) {
      current?.end();
      current = interactive(options);
    }
    return current.ask(line, answers);
  };
  /** One after the other, whatever became of the one before. */
  const inTurn = (line: string, answers: number): Promise<string> => {
    const turn = last.then(() => ask(line, answers));
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    apply: async (commands) => {
      const lines = commands.split('\n').filter((line) => line !== '');
      if (lines.length === 0) return;
      if (commands.length > SHORT) await program.apply(commands);
      else await inTurn(lines.join('; '), 0);
    },
    list: (...words) => inTurn(['list', ...words].join(' '), 1),
    close: () => current?.end(),
  };
}

interface Interactive {
  /** Gives the line of a command that has one; the empty text for others. Throws GuardError. */
  ask(line: string, answers: number): Promise<string>;
  requests(): number;
  isOver(): boolean;
  end(): void;
}

interface Pending {
  readonly answers: number;
  readonly resolve: (answer: string) => void;
  readonly reject: (error: GuardError) => void;
}

function interactive({ command = ['nft'], timeoutMs = 30_000 }: NftOptions): Interactive {
  const child = start(command);
  let [output, complaints, requests] = ['', '', 0];
  let over: GuardError | undefined;
  let pending: Pending | undefined;

  const settle = (how: (pending: Pending) => void): void => {
    const settled = pending;
    pending = undefined;
    if (settled !== undefined) how(settled);
  };
  const finish = (error: GuardError): void => {
    over ??= error;
    settle(({ reject }) => reject(error));
  };
  let timer: NodeJS.Timeout | undefined;
  const giveUpAfter = (ms: number, why: () => GuardError): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      finish(why());
      child.kill('SIGKILL');
    }, ms);
  };
  const read = (): void => {
    const lines = output.split('\n').slice(0, -1);
    if (pending === undefined || lines.length === 0) return;
    // What it complained of was written before this line: both are here when this turn of the loop is over.
    if (complaints !== '') settle(({ reject }) => reject(complaint(complaints)));
    else if (lines.length > pending.answers)
      settle(({ resolve, answers }) => resolve(answers === 0 ? '' : `${lines[0]}\n`));
  };
  child.stdout.on('data', (chunk: string) => {
    output += chunk;
    if (chunk.includes('\n')) setImmediate(read);
  });
  child.stderr.on('data', (chunk: string) => {
    complaints = `${complaints}${chunk}`.replace(NO_TERMINAL, '');
    if (complaints === '') return;
    setImmediate(read);
    giveUpAfter(COMPLAINED_MS, () => complaint(complaints));
  });
  // A program that ended breaks the pipe; its end says why.
  child.stdin.on('error', () => undefined);
  child.once('error', (error) => finish(new GuardError('missing', `${command[0]} cannot be run`, error)));
  child.once('close', () =>
    finish(complaints === '' ? new GuardError('refused', 'nft ended') : complaint(complaints)),
  );

  return {
    ask: async (line, answers) => {
      if (over !== undefined) throw over;
      [output, complaints] = ['', ''];
      requests += 1;
      giveUpAfter(timeoutMs, () => new GuardError('timeout', `nft did not answer within ${timeoutMs} ms`));
      try {
        return await new Promise<string>((resolve, reject) => {
          pending = { answers, resolve, reject };
          child.stdin.write(`${line}\n${LAST}\n`);
        });
      } finally {
        clearTimeout(timer);
      }
    },
    requests: () => requests,
    isOver: () => over !== undefined,
    end: () => {
      child.stdin.end();
    },
  };
}

/** It ends when this process does: its input ends. A history of commands is nobody's wish. */
function start([program, ...args]: readonly [string, ...string[]]): ChildProcessWithoutNullStreams {
  const child = spawn(program, [...args, '--interactive', '--json', '--numeric'], {
    stdio: 'pipe',
    env: { ...process.env, HOME: '/nonexistent' },
  });
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  child.unref();
  return child;
}
