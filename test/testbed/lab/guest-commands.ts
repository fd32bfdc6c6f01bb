// Programs in the guest over one connection: each gets an id; its output and its end come back as events. The other
// side is guest-server.py; booting is guest.ts.
import type { Socket } from 'node:net';
import { guestProcess, type CommandResult, type EventSink, type GuestProcess } from './guest-process.ts';
import { lineReader, type GuestEvent, type GuestRequest } from './guest-protocol.ts';

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

/** Files of namespaces; none: the guest's own. */
export type Namespaces = readonly string[];

export interface GuestCommands {
  /** Runs to the end, whatever the exit code. */
  exec(namespaces: Namespaces, argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  spawn(namespaces: Namespaces, argv: readonly string[], options?: SpawnOptions): GuestProcess;
  /** Before these namespaces are removed. */
  forget(namespaces: Namespaces): void;
}

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
    if (socket.destroyed) run.take({ kind: 'exit', id, code: null, signal: 'guest' });
    return run.process;
  };
  return {
    spawn,
    exec: (namespaces, argv, options) =>
      execute(spawn(namespaces, argv, options), argv, options?.timeoutMs ?? 30_000),
    forget: (namespaces) => say({ kind: 'forget', namespaces }),
  };
}

/** A command that takes too long is killed with its process group, and its output is in the error. */
async function execute(
  run: GuestProcess,
  argv: readonly string[],
  timeoutMs: number,
): Promise<CommandResult> {
  const clock = { late: false };
  const timer = setTimeout(() => {
    clock.late = true;
    run.killGroup('SIGKILL');
  }, timeoutMs);
  const result = await run.wait();
  clearTimeout(timer);
  if (!clock.late) return result;
  throw new Error(`${argv.join(' ')}: not done in ${timeoutMs} ms\n${result.stdout}${result.stderr}`);
}
