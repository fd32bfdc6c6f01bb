// One row of the matrix: steady flows and a control flow that nothing touches, a capture over all of it, an event in the
// middle; then what was in plaintext, what was lost, and after how long the flow was back. Nothing is judged here but by `expectRow`.
import { loadavg } from 'node:os';
import { expect } from 'chai';
import type { Wire } from '../lab/capture.ts';
import { startFlow, type FlowResult, type FlowSpec, type RunningFlow } from '../lab/flow.ts';
import { quotedBy, type Packet } from '../lab/pcap.ts';
import { CONTROL_PORT, flowTo, type Ground } from './ground.ts';

export interface RowSpec {
  readonly event: string;
  readonly flows: readonly FlowSpec[];
  /** Ports that may be plain beside the control's. */
  readonly plainPorts?: readonly number[];
  /** From worker-0 to the first server when absent. */
  readonly control?: FlowSpec;
}

/** For the event: says when it happens, and when things are as they should be. */
export interface Moments {
  /** The event, or (called again) the moment from which being back is counted. */
  mark(): void;
  /** From here on nothing may be in plaintext; from the beginning when it is never called. */
  inForce(): Promise<void>;
  /** Every flow is answered without a hole since `mark`. */
  untilSteady(timeoutMs?: number): Promise<void>;
}

export interface Row {
  readonly event: string;
  /** Packets, from the moment on from which there must be none. */
  readonly plaintext: number;
  /** Before it: the positive control of the capture. */
  readonly plaintextBefore: number;
  /** Messages of all flows without an answer, less what the control lost, for each flow. */
  readonly lost: number;
  readonly controlLost: number;
  /** From the last mark to the last message lost; 0 when none was. */
  readonly backAfterMs: number;
  /** The longest time in which every message was lost. */
  readonly holeMs: number;
  readonly sent: number;
  /** Requests a second that the guest carried: less than was asked for while its one processor is busy. */
  readonly rate: number;
  readonly esp: number;
  /** Of the machine, over the last minute; it has two processors. */
  readonly load: number;
}

export interface RowReport {
  readonly row: Row;
  readonly flows: readonly FlowResult[];
  readonly control: FlowResult;
  readonly wire: Wire;
  /** The packets of `plaintext`, the first of them as text. */
  readonly samples: readonly string[];
}

/** Runs an event beside its flows and prints the row. */
export async function watchRow(
  { lab }: Pick<Ground, 'lab'>,
  spec: RowSpec,
  event: (at: Moments) => Promise<void>,
): Promise<RowReport> {
  const capture = await lab.capture();
  const controlSpec = spec.control ?? flowTo('first', 'worker-0', { port: CONTROL_PORT });
  const control = await startFlow(lab, controlSpec);
  const flows: RunningFlow[] = [];
  for (const flow of spec.flows) flows.push(await startFlow(lab, flow));
  let failure: Error | undefined;
  await pause(500);
  await event({
    mark: () => {
      for (const flow of flows) flow.mark();
    },
    inForce: () => capture.mark(),
    untilSteady: async (timeoutMs) => {
      await Promise.all(flows.map((flow) => flow.untilSteady(timeoutMs)));
    },
  }).catch((error: unknown) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  await pause(500);
  const results = await Promise.all([control, ...flows].map((flow) => flow.stop()));
  const [controlResult, ...flowResults] = results;
  const wire = await capture.stop();
  if (controlResult === undefined) throw new Error('no control');
  const plainPorts = [CONTROL_PORT, ...(spec.plainPorts ?? [])];
  const plaintext = wire.plaintext.filter((packet) => !isOf(plainPorts, packet));
  const since = wire.marks.at(-1) ?? 0;
  const late = plaintext.filter(({ time }) => time >= since);
  const controlLost = lostOf(controlResult);
  const row: Row = {
    event: spec.event,
    plaintext: late.length,
    plaintextBefore: plaintext.length - late.length,
    lost: flowResults.map((flow) => Math.max(0, lostOf(flow) - controlLost)).reduce((a, b) => a + b, 0),
    controlLost,
    backAfterMs: Math.round(Math.max(0, ...flowResults.map(backAfter))),
    holeMs: Math.round(Math.max(0, ...flowResults.map(longestHole))),
    sent: flowResults.reduce((sum, { sent }) => sum + sent, 0),
    rate: Math.round(Math.min(...flowResults.map(({ sent, ms }) => (1000 * sent) / ms))),
    esp: wire.esp.length,
    load: Math.round(loadavg()[0] ?? 0),
  };
  print(row, flowResults);
  if (failure !== undefined) throw failure;
  return { row, flows: flowResults, control: controlResult, wire, samples: late.slice(0, 5).map(packetText) };
}

export interface Bounds {
  /** Unbounded when absent. */
  readonly lost?: number;
  readonly backWithinMs?: number;
  /** Instead, where flows are carried on after the event and what it took away is made anew later. */
  readonly holeWithinMs?: number;
  /** For rows after which it is meant to be plain. */
  readonly mayBePlain?: boolean;
  /** Nothing may come through at all, in plaintext or otherwise. */
  readonly isHeld?: boolean;
  /** What the senders' own kernels tell them; nothing when absent. */
  readonly error?: string;
}

export function expectRow(
  { row, flows, control, wire, samples }: RowReport,
  { lost, backWithinMs, holeWithinMs, mayBePlain, isHeld, error }: Bounds,
): void {
  const ofControl = wire.plaintext.filter((packet) => isOf([CONTROL_PORT], packet));
  expect(ofControl.length, 'packets of the control, in plaintext').to.be.at.least(
    Math.max(1, control.received),
  );
  expect(
    flows.map((flow) => flow.error),
    'what senders are told',
  ).to.deep.equal(flows.map(() => error ?? null));
  if (mayBePlain !== true) {
    expect(row.plaintext, `in plaintext: ${samples.join(', ')}`).to.equal(0);
    if (isHeld !== true) expect(row.esp, 'packets in ESP').to.be.at.least(1);
  }
  if (isHeld === true)
    expect(
      flows.map(({ received }) => received),
      'answers',
    ).to.deep.equal(flows.map(() => 0));
  if (lost !== undefined) expect(row.lost, 'lost').to.be.at.most(lost);
  if (backWithinMs !== undefined) expect(row.backAfterMs, 'back after').to.be.at.most(backWithinMs);
  if (holeWithinMs !== undefined) expect(row.holeMs, 'hole').to.be.at.most(holeWithinMs);
}

/** As `expectRow`; but a bound on time holds in the median of three runs, since the machine is shared. All else in each run. */
export async function expectMedian(run: () => Promise<RowReport>, bounds: Bounds): Promise<void> {
  const { backWithinMs, holeWithinMs, ...always } = bounds;
  const limitMs = holeWithinMs ?? backWithinMs ?? Infinity;
  const times: number[] = [];
  const isDecided = (): boolean =>
    times.filter((ms) => ms <= limitMs).length >= (times.length === 1 ? 1 : 2) || times.length === 3;
  do {
    const report = await run();
    expectRow(report, always);
    times.push(holeWithinMs === undefined ? report.row.backAfterMs : report.row.holeMs);
  } while (!isDecided());
  const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  if (times.length > 1) console.log(`      ${times.join(', ')} ms`);
  const what = holeWithinMs === undefined ? 'back after' : 'hole';
  expect(median, `${what}, in the median of ${times.join(', ')}`).to.be.at.most(limitMs);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function lostOf({ sent, received }: FlowResult): number {
  return sent - received;
}

function backAfter({ lost, marks }: FlowResult): number {
  const since = marks.at(-1)?.ms ?? 0;
  return (lost.at(-1)?.toMs ?? 0) - since;
}

function longestHole({ lost }: FlowResult): number {
  return Math.max(0, ...lost.map(({ fromMs, toMs }) => toMs - fromMs));
}

/** Of a flow on one of the ports, an error about it included: that quotes what was plain before. */
function isOf(ports: readonly number[], packet: Packet): boolean {
  const { sourcePort = 0, destinationPort = 0 } = quotedBy(packet) ?? packet;
  return ports.includes(sourcePort) || ports.includes(destinationPort);
}

function packetText(packet: Packet): string {
  const { source, sourcePort, destination, destinationPort, protocol } = packet;
  const text = `${source}:${sourcePort ?? ''} > ${destination}:${destinationPort ?? ''} protocol ${protocol}`;
  const quoted = quotedBy(packet);
  return quoted === undefined ? text : `${text} about port ${quoted.destinationPort ?? ''}`;
}

/** One JSON line a row, and where the holes were. */
function print(row: Row, flows: readonly FlowResult[]): void {
  console.log(JSON.stringify(row));
  for (const { sent, received, requestsLost, lost, longestGapMs, marks } of flows)
    if (sent > received) {
      const runs = lost
        .slice(0, 6)
        .map(
          ({ first, last, fromMs, toMs }) =>
            `${first}-${last} (${Math.round(fromMs)}-${Math.round(toMs)} ms)`,
        );
      const at = marks.map(({ ms }) => Math.round(ms)).join(', ');
      console.log(
        `      lost ${sent - received}, ${requestsLost} of them requests, marks at ${at} ms, gap ${Math.round(longestGapMs)} ms: ${runs.join(', ')}`,
      );
    }
}
