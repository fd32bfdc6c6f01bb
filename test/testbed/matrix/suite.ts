// A suite of the matrix: one lab for all its rows, one test a row, in order. In a quick run (scripts/testbed without arguments)
// only rows marked so are run, and suites without any open no lab.
import { appendFileSync } from 'node:fs';
import type { FlowSpec } from '../lab/flow.ts';
import { flowTo, openGround, type Ground, type GroundOptions } from './ground.ts';
import {
  expectMedian,
  watchRow,
  type Bounds,
  type Moments,
  type Row,
  type RowReport,
  type RowSpec,
} from './row.ts';

export interface RowOptions extends Bounds, Omit<RowSpec, 'event' | 'flows'> {
  /** The flow from worker-0 to the first service when absent. */
  readonly flows?: readonly FlowSpec[];
  /** Part of a quick run. */
  readonly quick?: boolean;
  /** Why the product does not do this yet: the row is listed as pending. */
  readonly pending?: string;
  /** True when the flows have to be up before the row begins; yes when absent. */
  readonly up?: boolean;
  /** What else must be so afterwards. */
  readonly also?: (report: RowReport, ground: Ground) => void | Promise<void>;
}

export type DefineRow = (
  event: string,
  options: RowOptions,
  act: (at: Moments, ground: Ground) => Promise<void>,
) => void;

export interface Suite extends GroundOptions {
  readonly name: string;
  readonly setUp?: (ground: Ground) => Promise<void>;
}

export function matrixSuite({ name, setUp, ...options }: Suite, define: (row: DefineRow) => void): void {
  const isQuick = process.env['MATRIX_ROWS'] === 'quick';
  const rows: Parameters<DefineRow>[] = [];
  define((...row) => rows.push(row));
  const chosen = rows.filter(([, { quick = false }]) => quick || !isQuick);
  if (chosen.length === 0) return;

  describe(`matrix: ${name}`, () => {
    let ground: Ground | undefined;
    before(async function () {
      this.timeout(240_000);
      ground = await openGround(options);
      await setUp?.(ground);
    });
    after(async () => ground?.close());

    for (const [event, rowOptions, act] of chosen) {
      if (rowOptions.pending !== undefined) {
        it.skip(`${event}: ${rowOptions.pending}`);
        record({ event, bounds: rowOptions, rows: [], verdict: `pending: ${rowOptions.pending}` });
      } else it(event, () => runRow(opened(ground), event, rowOptions, act));
    }
  });
}

function opened(ground: Ground | undefined): Ground {
  if (ground === undefined) throw new Error('there is no lab');
  return ground;
}

async function runRow(
  ground: Ground,
  event: string,
  { flows = [MAIN], up = true, also, control, plainPorts, ...bounds }: RowOptions,
  act: Parameters<DefineRow>[2],
): Promise<void> {
  const rows: Row[] = [];
  const run = async (): Promise<RowReport> => {
    if (up) for (const flow of flows) await untilAnswered(ground, flow);
    const spec = { event, flows, ...(control && { control }), ...(plainPorts && { plainPorts }) };
    const report = await watchRow(ground, spec, (at) => act(at, ground));
    rows.push(report.row);
    await also?.(report, ground);
    return report;
  };
  try {
    await expectMedian(run, bounds);
    record({ event, bounds, rows, verdict: 'held' });
  } catch (error) {
    record({ event, bounds, rows, verdict: `failed: ${(error as Error).message.split('\n')[0] ?? ''}` });
    throw error;
  }
}

/** For the table of scripts/testbed. */
export interface Recorded {
  readonly event: string;
  readonly bounds: Bounds;
  /** Of each run: one, or up to three where time was too long at first. */
  readonly rows: readonly Row[];
  /** held, or what was not. */
  readonly verdict: string;
}

function record(line: Recorded): void {
  const file = process.env['MATRIX_RESULTS'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
}

const MAIN = flowTo('first', 'worker-0');

/** The first packet of a flow makes its SA. */
export async function untilAnswered({ lab }: Ground, flow: FlowSpec): Promise<void> {
  for (let tries = 0; tries < 60; tries += 1) {
    const { from, source, protocol, address, port, sizeBytes = 64 } = flow;
    const talk = { from, source, protocol, address, port, sizeBytes, count: 1, lingerMs: 500 };
    if ((await lab.talk(talk)).received === 1) return;
  }
  throw new Error(`no answer from ${flow.address} port ${flow.port} before the row begins`);
}
