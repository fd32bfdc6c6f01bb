// A socket between an agent and charon that passes every byte on and notes which commands went by, when, and for which
// connection: counts from outside, however the agent sees itself.
import { rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { FrameReader } from '../../app/vici/framing.ts';

export interface ViciCommand {
  readonly name: string;
  /** Of `load-conn`: the connection. */
  readonly connection: string;
  /** `performance.now()`; `answeredAt` is undefined until charon has answered. */
  readonly sentAt: number;
  answeredAt: number | undefined;
}

export interface ViciProxy {
  readonly path: string;
  /** Since the last `forget`. */
  commands(): readonly ViciCommand[];
  forget(): void;
  stop(): Promise<void>;
}

/** Kinds of packet, as in app/vici/packet.ts. */
const REQUEST = 0;
const EVENT = 7;

export async function startViciProxy(charonPath: string): Promise<ViciProxy> {
  const path = `${charonPath}.proxy`;
  const sockets = new Set<Socket>();
  let commands: ViciCommand[] = [];
  const server = createServer((client) => {
    const charon = createConnection({ path: charonPath });
    const unanswered: ViciCommand[] = [];
    const requests = new FrameReader((frame) => {
      const command = commandOf(frame);
      unanswered.push(command);
      if (frame[0] === REQUEST) commands.push(command);
    });
    const answers = new FrameReader((frame) => {
      const command = frame[0] === EVENT ? undefined : unanswered.shift();
      if (command !== undefined) command.answeredAt = performance.now();
    });
    client.on('data', (chunk: Buffer) => requests.push(chunk));
    charon.on('data', (chunk: Buffer) => answers.push(chunk));
    client.pipe(charon);
    charon.pipe(client);
    for (const socket of [client, charon]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => [client, charon].forEach((one) => one.destroy()));
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    commands: () => commands,
    forget: () => {
      commands = [];
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(path, { force: true });
    },
  };
}

/** A request is its kind, its name and a message; that of `load-conn` begins with the section of the connection. */
function commandOf(frame: Buffer): ViciCommand {
  const textAt = (at: number): string => frame.toString('utf8', at + 1, at + 1 + (frame[at] ?? 0));
  const name = textAt(1);
  const connection = name === 'load-conn' ? textAt(1 + 1 + name.length + 1) : '';
  return { name, connection, sentAt: performance.now(), answeredAt: undefined };
}
