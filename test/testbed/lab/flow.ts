// Steady flows between pods: how many messages of each were lost, when, and for how long nothing came. The work in the pods is
// flow.py's; what is allowed to be lost is the matrix's business.
import { join } from 'node:path';
import type { GuestProcess } from './guest-process.ts';
import type { Place, Places } from './places.ts';

export interface FlowSpec {
  readonly from: Place;
  readonly source: string;
  /** 0, any, when absent. */
  readonly sourcePort?: number;
  readonly protocol: 'udp' | 'tcp';
  readonly address: string;
  readonly port: number;
  /** Requests a second, each answered; FLOW_RATE when absent. */
  readonly rate?: number;
  /** Of a message, either way; FLOW_SIZE when absent. The server of a TCP flow must be told the same. */
  readonly sizeBytes?: number;
  /** UDP with the DF bit, as QUIC and path MTU discovery send it; no when absent. */
  readonly dontFragment?: boolean;
}

export interface LostRun {
  /** Numbers of the first and the last message without an answer. */
  readonly first: number;
  readonly last: number;
  /** When they were sent, from the start of the flow. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface FlowResult {
  readonly sent: number;
  /** From the first message to the last. */
  readonly ms: number;
  readonly received: number;
  /** Of those lost: never seen by the server. The others were answered. */
  readonly requestsLost: number;
  readonly lost: readonly LostRun[];
  /** The longest time between two answers. */
  readonly longestGapMs: number;
  readonly marks: readonly { readonly number: number; readonly ms: number }[];
  readonly error: string | null;
}

export interface RunningFlow {
  /** Notes the moment; `untilSteady` counts from here. */
  mark(): void;
  /** Resolves when, after the last mark, a quarter of a second was answered without a hole. */
  untilSteady(timeoutMs?: number): Promise<void>;
  /** Ends it, waits a second for what is missing. */
  stop(): Promise<FlowResult>;
}

export const FLOW_SIZE = 64;
export const FLOW_RATE = Number(process.env['MATRIX_RATE'] ?? 500);
const PYTHON = ['/usr/bin/python3', '-IS'];
const FLOW = join(import.meta.dirname, 'flow.py');
const LINGER_MS = 1000;

/** Resolves when it listens. Answers every flow. */
export async function serveFlows(
  places: Places,
  place: Place,
  { protocol, address, port, sizeBytes = FLOW_SIZE }: Omit<FlowSpec, 'from' | 'source'>,
): Promise<GuestProcess> {
  const argv = [...PYTHON, FLOW, 'serve', protocol, address, String(port), String(sizeBytes)];
  const server = places.spawn(place, argv);
  await server.waitFor(/listening/);
  return server;
}

/** Resolves when the first message is on its way. */
export async function startFlow(places: Places, spec: FlowSpec): Promise<RunningFlow> {
  const { from, sourcePort = 0, rate = FLOW_RATE, sizeBytes = FLOW_SIZE, ...rest } = spec;
  const job = { ...rest, sourcePort, rate, size: sizeBytes, lingerMs: LINGER_MS };
  const run = places.spawn(from, [...PYTHON, FLOW, 'send', JSON.stringify(job)]);
  await run.waitFor(/started|\{/);
  let marks = 0;
  return {
    mark: () => {
      marks += 1;
      run.kill('SIGUSR1');
    },
    untilSteady: (timeoutMs = 30_000) => run.waitFor(new RegExp(`^steady ${marks}$`, 'm'), timeoutMs),
    stop: async () => {
      run.kill('SIGTERM');
      const { stdout, stderr } = await run.wait();
      const line = stdout.split('\n').find((text) => text.startsWith('{'));
      if (line === undefined) throw new Error(`flow.py in ${from}: ${stderr}`);
      return JSON.parse(line) as FlowResult;
    },
  };
}
