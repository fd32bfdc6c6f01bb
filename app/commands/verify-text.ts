// How does `verify` read? One line that says it all, a line for each pair of hosts with the worst first, then each reason once.
import { shorten } from '../domain/endpoint-problems.ts';
import { compareFlowVerdicts, type FlowVerdict } from '../domain/flow-verdict.ts';
import type { JudgedPair } from './judge-service.ts';
import { oneLine, table, type Colour, type Paint } from './table.ts';

export interface ServiceVerdict {
  /** `namespace/name`. */
  readonly service: string;
  readonly verdict: FlowVerdict;
  /** Ports with their stages, `udp/53 enforce`. */
  readonly stages: readonly string[];
  readonly pairs: readonly JudgedPair[];
  readonly seconds: number;
  /** Of the service as a whole: no policy, no endpoint, a probe that failed. */
  readonly findings: readonly string[];
}

const COLOURS: Readonly<Record<FlowVerdict, Colour>> = {
  PLAINTEXT: 'red',
  UNKNOWN: 'yellow',
  HELD: 'yellow',
  PROTECTED: 'green',
};

export function verifyText(result: ServiceVerdict, paint: Paint): string {
  const { pairs, findings } = result;
  const sorted = pairs.toSorted((a, b) => compareFlowVerdicts(a.verdict, b.verdict));
  const reasons = [...reasonLines(sorted), ...findings.map((text) => `  ${oneLine(text)}\n`)];
  return [
    `${headline(result, paint)}\n`,
    ...(sorted.length === 0 ? [] : [table(HEADINGS, sorted.map(cells), paint)]),
    ...(reasons.length === 0 ? [] : [reasons.join('')]),
  ].join('\n');
}

function headline({ service, verdict, pairs, stages, seconds }: ServiceVerdict, paint: Paint): string {
  const alike = pairs.filter((pair) => pair.verdict === verdict).length;
  const busy = pairs.filter(({ there }) => there > 0).length;
  const share =
    pairs.length === 0
      ? ''
      : ` on ${alike} of ${pairs.length} ways between hosts; traffic in tunnels on ${busy} of them in ${seconds} s`;
  const stage = stages.length === 0 ? '' : ` (${stages.join(', ')})`;
  return `${service}${stage}: ${paint(verdict, COLOURS[verdict])}${share}`;
}

const HEADINGS = [
  'VERDICT',
  'CLIENTS ON',
  'ENDPOINT',
  'ON',
  'PORT',
  'CLIENT END',
  'ENDPOINT END',
  'GUARD HOLDS',
  'PACKETS',
];

function cells(pair: JudgedPair): (string | { readonly text: string; readonly colour: Colour })[] {
  return [
    { text: pair.verdict, colour: COLOURS[pair.verdict] },
    pair.client,
    pair.endpoint,
    pair.host,
    pair.port,
    pair.clientChild,
    pair.endpointChild,
    pair.guard,
    pair.there + pair.back === 0 ? 'none seen' : `${pair.there} there, ${pair.back} back`,
  ];
}

/** Each reason once, with the ways that it is about; a way with traffic in its tunnel and both guards has its line in the table. */
function reasonLines(pairs: readonly JudgedPair[]): string[] {
  const told = pairs.filter(
    ({ verdict, there, guard }) => verdict !== 'PROTECTED' || there === 0 || guard !== 'both',
  );
  const groups = Map.groupBy(told, ({ verdict, reason }) => `${verdict} ${reason}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const ways = group.map(({ client, endpoint, port }) => `${client} to ${endpoint} ${port}`);
    return [`  ${first.verdict} ${shorten(ways, 2)}: ${oneLine(first.reason)}\n`];
  });
}
