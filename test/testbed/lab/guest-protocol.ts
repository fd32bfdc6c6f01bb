// What the test process and the server in the guest say to each other: one JSON object a line, over TCP on the
// out-of-band network. guest-commands.ts speaks one side, guest-server.py the other.

export type GuestRequest =
  | {
      readonly kind: 'start';
      readonly id: number;
      /** Files of namespaces to run in; none: the guest's own. */
      readonly namespaces: readonly string[];
      readonly argv: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
      /** Written to standard input, which is then closed. */
      readonly input?: string;
    }
  /** These namespaces are gone; the same names may come again. */
  | { readonly kind: 'forget'; readonly namespaces: readonly string[] }
  | {
      readonly kind: 'signal';
      readonly id: number;
      readonly signal: NodeJS.Signals;
      readonly group: boolean;
    };

export type GuestEvent =
  | { readonly kind: 'hello' }
  | {
      readonly kind: 'output';
      readonly id: number;
      readonly stream: 'stdout' | 'stderr';
      readonly base64: string;
    }
  | {
      readonly kind: 'exit';
      readonly id: number;
      readonly code: number | null;
      readonly signal: string | null;
    };

/** Calls `take` for every whole line of a stream of chunks. */
export function lineReader(take: (line: string) => void): (chunk: Buffer) => void {
  let rest: Buffer[] = [];
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      rest.push(chunk.subarray(start, end));
      take(Buffer.concat(rest).toString());
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  };
}
