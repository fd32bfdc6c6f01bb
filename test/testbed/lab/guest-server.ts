// Runs inside the guest: starts programs for the test process and streams what they say. Knows nothing of hosts and
// pods; guest.ts puts `nsenter` in front. When the test process hangs up, the guest powers off.
import { spawn, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { lineReader, type GuestEvent, type GuestRequest } from './guest-protocol.ts';

const [address = '', port = ''] = process.argv.slice(2);
const socket = connect({ host: address, port: Number(port), noDelay: true });
const running = new Map<number, ChildProcess>();

socket.on('connect', () => say({ kind: 'hello' }));
socket.on(
  'data',
  lineReader((line) => obey(JSON.parse(line) as GuestRequest)),
);
socket.on('close', () => process.exit(0));
socket.on('error', (error) => {
  console.error(`guest-server: ${error.message}`);
  process.exit(1);
});

function say(event: GuestEvent): void {
  socket.write(`${JSON.stringify(event)}\n`);
}

function obey(request: GuestRequest): void {
  if (request.kind === 'start') start(request);
  else signal(request);
}

function start({ id, argv, env, input }: GuestRequest & { kind: 'start' }): void {
  const [command = '', ...args] = argv;
  // Its own process group, so that a shell that is given up takes its children along.
  const child = spawn(command, args, { env: { ...process.env, ...env }, detached: true });
  running.set(id, child);
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].on('data', (data: Buffer) =>
      say({ kind: 'output', id, stream, base64: data.toString('base64') }),
    );
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  let over = false;
  const end = (code: number | null, signalName: string | null): void => {
    if (over) return;
    over = true;
    running.delete(id);
    say({ kind: 'exit', id, code, signal: signalName });
  };
  child.on('error', (error) => {
    say({
      kind: 'output',
      id,
      stream: 'stderr',
      base64: Buffer.from(`${error.message}\n`).toString('base64'),
    });
    end(127, null);
  });
  child.on('close', end);
}

function signal(request: GuestRequest & { kind: 'signal' }): void {
  const pid = running.get(request.id)?.pid;
  if (pid === undefined) return;
  try {
    process.kill(request.group ? -pid : pid, request.signal);
  } catch {
    // It ended in this moment; its exit is on its way.
  }
}
