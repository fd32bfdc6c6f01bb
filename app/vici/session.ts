// One connection to charon: who asked what, which answer belongs to whom, and when the connection is of no use any
// more. Knows commands and events as names only; what they mean is charon.ts. Never reconnects: that is the caller's.
//
// charon works through one client's packets strictly in order and answers each with one packet (process_queue in
// strongSwan's vici_socket.c), so requests may be written without waiting and answers are told apart by order alone:
//
//   us      register list-conn | list-conns | unregister list-conn | load-conn | ...
//   charon  confirm | event list-conn ... event ike-updown ... response | confirm | response | ...
//
// The three packets of a streamed command are always all sent and all answered, so a failure cannot shift the order.
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import type { Tree } from '../swanctl/tree.ts';
import { ViciClosedError, ViciCommandError, ViciProtocolError } from './errors.ts';
import { encodeFrame, FrameReader } from './framing.ts';
import { decodePacket } from './packet.ts';
import type { Packet } from './packet.ts';

export interface SessionOptions {
  /** charon's socket, `/run/charon.vici` as a rule. */
  readonly path: string;
  /** How long charon may take for the oldest unanswered request; each event of a stream starts the time anew. */
  readonly timeoutMs: number;
  /** Each command and what became of it, for whoever counts. */
  readonly onCommand?: (command: string, outcome: CommandOutcome) => void;
}

/** refused: charon said no, or does not know it; lost: no answer came. */
export type CommandOutcome = 'done' | 'refused' | 'lost';

/** The kinds of packet that answer a request: done, or unknown to charon. */
const COMMAND_ANSWERS = ['response', 'command-unknown'] as const;
const EVENT_ANSWERS = ['event-confirm', 'event-unknown'] as const;

export type EventHandler = (event: string, message: Tree) => void;

/** A request that was written and not answered yet. */
interface Pending {
  readonly what: string;
  readonly answers: readonly [yes: Packet['kind'], no: Packet['kind']];
  readonly timeoutMs: number;
  /** The event that streams its data, and what has come so far. */
  readonly stream?: { readonly event: string; readonly messages: Tree[] };
  readonly resolve: (message: Tree) => void;
  readonly reject: (error: Error) => void;
}

/** Rejects with ViciClosedError when nobody listens there. */
export function openSession(options: SessionOptions): Promise<Session> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path: options.path });
    const refused = (cause: Error): void => {
      reject(new ViciClosedError(`cannot connect to charon at ${options.path}: ${cause.message}`, { cause }));
    };
    socket.once('error', refused);
    socket.once('connect', () => {
      socket.off('error', refused);
      resolve(new Session(socket, options.timeoutMs));
    });
  });
}

/** Made by openSession(), ended by close(), by charon, or by the first thing that breaks the order of answers. */
export class Session {
  /** Settles once, when the session is over: undefined after our own close(), else why. Never rejects. */
  readonly closed: Promise<Error | undefined>;
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #pending: Pending[] = [];
  readonly #handlers = new Map<string, EventHandler[]>();
  readonly #registered = new Map<string, Promise<unknown>>();
  #timer: NodeJS.Timeout | undefined;
  #isOpen = true;
  #settleClosed: (reason: Error | undefined) => void = () => undefined;

  constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
    const frames = new FrameReader((frame) => this.#isOpen && this.#receive(decodePacket(frame)));
    socket.on('data', (chunk: Buffer) => this.#read(frames, chunk));
    socket.on('error', (cause) =>
      this.#end(new ViciClosedError(`connection to charon: ${cause.message}`, { cause })),
    );
    socket.on('close', () => this.#end(new ViciClosedError('charon closed the connection')));
  }

  /**
   * The answer to one command. Rejects with ViciCommandError when charon does not know it, with ViciProtocolError when
   * the message cannot be sent (the session goes on), with ViciClosedError when the session ends before the answer.
   */
  request(command: string, message: Tree, timeoutMs = this.#timeoutMs): Promise<Tree> {
    return this.#send({ kind: 'request', name: command, message }, COMMAND_ANSWERS, timeoutMs);
  }

  /** The answer to a command that streams its data, and that data: the events of that name. Rejects as request() does. */
  async stream(command: string, event: string, message: Tree): Promise<{ messages: Tree[]; response: Tree }> {
    const messages: Tree[] = [];
    const [, response] = await Promise.all([
      this.#registration('register', event),
      this.#send({ kind: 'request', name: command, message }, COMMAND_ANSWERS, this.#timeoutMs, {
        event,
        messages,
      }),
      this.#registration('unregister', event),
    ]);
    return { messages, response };
  }

  /**
   * Calls the handler for each event of that name, until the session ends. Resolves when charon has confirmed. An event
   * is registered once however many handlers it has: charon would send it once for each registration. What a handler
   * throws is not caught.
   */
  async listen(event: string, handler: EventHandler): Promise<void> {
    if (event.startsWith('list-')) throw new Error(`${event} belongs to a streamed command`);
    // Before charon has the registration, since the first event may come before its confirmation.
    this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), handler]);
    const registered = this.#registered.get(event) ?? this.#registration('register', event);
    this.#registered.set(event, registered);
    await registered;
  }

  /** Ends the session; whatever was not answered rejects with ViciClosedError. */
  close(): void {
    this.#end(undefined);
  }

  #registration(kind: 'register' | 'unregister', event: string): Promise<Tree> {
    return this.#send({ kind, name: event }, EVENT_ANSWERS, this.#timeoutMs);
  }

  #send(
    packet: Packet & { readonly name: string },
    answers: Pending['answers'],
    timeoutMs: number,
    stream?: Pending['stream'],
  ): Promise<Tree> {
    return new Promise((resolve, reject) => {
      if (!this.#isOpen) throw new ViciClosedError(`${packet.name}: the session is closed`);
      const frame = encodeFrame(packet);
      const what = packet.kind === 'request' ? packet.name : `${packet.kind} ${packet.name}`;
      this.#pending.push({ what, answers, timeoutMs, resolve, reject, ...(stream && { stream }) });
      this.#socket.write(frame);
      if (this.#pending.length === 1) this.#awaitOldest();
    });
  }

  #read(frames: FrameReader, chunk: Buffer): void {
    try {
      frames.push(chunk);
    } catch (error) {
      if (!(error instanceof ViciProtocolError)) throw error;
      this.#end(error);
    }
  }

  #receive(packet: Packet): void {
    if (packet.kind === 'event') this.#receiveEvent(packet.name, packet.message);
    else this.#receiveAnswer(packet);
  }

  #receiveEvent(name: string, message: Tree): void {
    const stream = this.#pending[0]?.stream;
    if (stream?.event === name) {
      stream.messages.push(message);
      this.#awaitOldest();
      return;
    }
    const handlers = this.#handlers.get(name);
    if (handlers === undefined) throw new ViciProtocolError(`event ${name}, which nobody registered`);
    for (const handler of handlers) handler(name, message);
  }

  #receiveAnswer(packet: Packet): void {
    const oldest = this.#pending[0];
    const kind = packet.kind;
    const [yes, no] = oldest?.answers ?? [];
    if (oldest === undefined || (kind !== yes && kind !== no))
      throw new ViciProtocolError(`${kind} is no answer to ${oldest?.what ?? 'anything'}`);
    this.#pending.shift();
    this.#awaitOldest();
    if (kind === no) oldest.reject(new ViciCommandError(oldest.what, 'charon does not know it', 'never'));
    else oldest.resolve(packet.kind === 'response' ? packet.message : {});
  }

  /** Starts the time of the request that charon is working on now; the others wait for their turn. */
  #awaitOldest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const oldest = this.#pending[0];
    if (oldest === undefined) return;
    const timer = setTimeout(() => {
      // Our own process may have been busy that long: first read what has come meanwhile.
      setImmediate(() => {
        if (this.#timer === timer) this.#giveUp(oldest);
      });
    }, oldest.timeoutMs);
    this.#timer = timer;
  }

  #giveUp(oldest: Pending): void {
    // Its answer may still come, and would then be taken for the answer to the next one.
    this.#end(new ViciClosedError(`charon did not answer ${oldest.what} within ${oldest.timeoutMs} ms`));
  }

  #end(reason: Error | undefined): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#socket.destroy();
    this.#settleClosed(reason);
    for (const { what, reject } of this.#pending.splice(0))
      reject(
        new ViciClosedError(`${what} was not answered: ${reason?.message ?? 'the session was closed'}`, {
          cause: reason,
        }),
      );
  }
}
