// Programs in the guest over one connection: each gets an id; its output and its end come back as events. The other
// side is guest-server.py; booting is guest.ts.
import { createWriteStream } from 'node:fs';
import type { Socket } from 'node:net';
import { lineReader, type GuestEvent, type GuestRequest } from './guest-protocol.ts';

export interface CommandResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export interface ExecOptions extends RunOptions {
  /** 30 s when absent; then the whole process group is killed and the call rejects. */
  readonly timeoutMs?: number;
}

export interface SpawnOptions extends RunOptions {
  /** Gets both streams as they come; readable from outside at once. */
  readonly logFile?: string;
}

export interface GuestProcess {
  /** What it wrote so far; code and signal are null while it runs. */
  output(): CommandResult;
  /** Resolves when its output (both streams) matches; rejects when it ends or the time is over first. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<void>;
  kill(signal?: NodeJS.Signals): void;
  killGroup(signal?: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  wait(): Promise<CommandResult>;
}

/** Files of namespaces; none: the guest's own. */
export type Namespaces = readonly string[];

export interface GuestCommands {
  /** Runs to the end, whatever the exit code. */
  exec(namespaces: Namespaces, argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  spawn(namespaces: Namespaces, argv: readonly string[], options?: SpawnOptions): GuestProcess;
  /** Before these namespaces are removed. */
  forget(namespaces: Namespaces): void;
}

type EventSink = (event: Exclude<GuestEvent, { kind: 'hello' }>) => void;

/** Speaks with the server in the guest; when the connection ends, everything that runs ends with signal `guest`. */
export function guestCommands(socket: Socket): GuestCommands {
  const sinks = new Map<number, EventSink>();
  let lastId = 0;
  const say = (request: GuestRequest): void => {
    socket.write(`${JSON.stringify(request)}\n`);
  };
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on(
    'data',
    lineReader((line) => {
      const event = JSON.parse(line) as GuestEvent;
      if (event.kind !== 'hello') sinks.get(event.id)?.(event);
    }),
  );
  socket.on('close', () => {
    for (const [id, sink] of sinks) sink({ kind: 'exit', id, code: null, signal: 'guest' });
  });
  const spawn: GuestCommands['spawn'] = (namespaces, argv, options = {}) => {
    const id = ++lastId;
    const { env, input } = options;
    const run = guestProcess((signal, group) => say({ kind: 'signal', id, signal, group }), options.logFile);
    sinks.set(id, (event) => {
      if (event.kind === 'exit') sinks.delete(id);
      run.take(event);
    });
    say({ kind: 'start', id, namespaces, argv, ...(env && { env }), ...(input !== undefined && { input }) });
    return run.process;
  };
  return {
    spawn,
    exec: (namespaces, argv, options) =>
      execute(spawn(namespaces, argv, options), argv, options?.timeoutMs ?? 30_000),
    forget: (namespaces) => say({ kind: 'forget', namespaces }),
  };
}

async function execute(
  run: GuestProcess,
  argv: readonly string[],
  timeoutMs: number,
): Promise<CommandResult> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    run.killGroup('SIGKILL');
  }, timeoutMs);
  const result = await run.wait();
  clearTimeout(timer);
  if (!late) return result;
  throw new Error(`${argv.join(' ')}: not done in ${timeoutMs} ms\n${result.stdout}${result.stderr}`);
}

function guestProcess(
  signal: (name: NodeJS.Signals, group: boolean) => void,
  logFile: string | undefined,
): { process: GuestProcess; take: EventSink } {
  const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const log = logFile === undefined ? undefined : createWriteStream(logFile, { flags: 'a' });
  const watchers = new Set<() => void>();
  let end: { code: number | null; signal: string | null } | undefined;
  const text = (stream: 'stdout' | 'stderr'): string => Buffer.concat(chunks[stream]).toString();
  const output = (): CommandResult => ({
    ...(end ?? { code: null, signal: null }),
    stdout: text('stdout'),
    stderr: text('stderr'),
  });
  const { promise: ended, resolve: endNow } = Promise.withResolvers<CommandResult>();
  const take: EventSink = (event) => {
    if (event.kind === 'output') {
      const data = Buffer.from(event.base64, 'base64');
      chunks[event.stream].push(data);
      log?.write(data);
    } else {
      end = { code: event.code, signal: event.signal };
      log?.end();
      endNow(output());
    }
    for (const watcher of watchers) watcher();
  };
  const waitFor = (pattern: RegExp, timeoutMs = 30_000): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = (error?: string): void => {
        clearTimeout(timer);
        watchers.delete(look);
        if (error === undefined) resolve();
        else reject(new Error(`${error} before ${pattern}:\n${text('stdout')}${text('stderr')}`));
      };
      const look = (): void => {
        if (pattern.test(text('stdout') + text('stderr'))) done();
        else if (end !== undefined) done(`ended with ${end.code ?? end.signal}`);
      };
      const timer = setTimeout(() => done(`${timeoutMs} ms went by`), timeoutMs);
      watchers.add(look);
      look();
    });
  return {
    take,
    process: {
      output,
      waitFor,
      kill: (name = 'SIGTERM') => signal(name, false),
      killGroup: (name = 'SIGKILL') => signal(name, true),
      wait: () => ended,
    },
  };
}
