// Protocols and ports as a policy writes them: `tcp/53`. Numbers only; names of ports are resolved in resolve.ts.

export const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** One protocol and port number, 1 to 65535. */
export interface Port {
  readonly protocol: Protocol;
  readonly port: number;
}

/** The port list of a policy row, sorted and without repeats, or the sentence that says what is wrong. */
export type ParsedPorts = { readonly ports: readonly Port[] } | { readonly error: string };

/** Reads `udp/53,tcp/9153`: lower-case protocol, slash, decimal port, separated by single commas, no blanks. */
export function parseServicePorts(text: string): ParsedPorts {
  const ports: Port[] = [];
  for (const item of text.split(',')) {
    const port = parsePort(item);
    if (port === undefined)
      return {
        error: `"${item.slice(0, 40)}" is not a port; write tcp/53, udp/53 or sctp/53 with a port from 1 to 65535, separated by commas`,
      };
    ports.push(port);
  }
  return { ports: uniquePorts(ports) };
}

/** One `tcp/53`, or undefined. */
export function parsePort(text: string): Port | undefined {
  const match = /^(tcp|udp|sctp)\/([1-9]\d{0,4})$/.exec(text);
  const port = Number(match?.[2]);
  return match === null || port > 65535 ? undefined : { protocol: match[1] as Protocol, port };
}

export function formatPort(port: Port): string {
  return `${port.protocol}/${port.port}`;
}

/** Ports as texts, for look-ups. */
export function portTexts(ports: readonly Port[]): Set<string> {
  return new Set(ports.map(formatPort));
}

/** tcp, udp, sctp; then by number. */
export function comparePorts(a: Port, b: Port): number {
  return PROTOCOLS.indexOf(a.protocol) - PROTOCOLS.indexOf(b.protocol) || a.port - b.port;
}

/** Sorted, each port once. */
export function uniquePorts(ports: Iterable<Port>): Port[] {
  return [...new Map([...ports].map((port) => [formatPort(port), port])).values()].sort(comparePorts);
}
