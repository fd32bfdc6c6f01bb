// How one traffic selector is written: `172.16.192.64/26[udp]`, `172.16.166.178/32[udp/53]`. We write numbers only;
// charon prints names out of the host's /etc/services, so reading its answers (readSelector) is more lenient than ours.
import type { TrafficSelector } from '../domain/host-config.ts';
import { familyOf, parsePrefix, type Prefix } from '../domain/ip.ts';
import { parsePort, PROTOCOLS, type Protocol } from '../domain/ports.ts';

/** A selector as charon prints it. `port` is a number, the name of a service, or absent for all ports. */
export interface PrintedSelector {
  readonly prefix: Prefix;
  readonly protocol: Protocol;
  readonly port?: number | string;
}

/** IANA numbers, which charon prints on a host without /etc/protocols. */
const PROTOCOL_NUMBERS: Readonly<Record<string, Protocol>> = { '6': 'tcp', '17': 'udp', '132': 'sctp' };

export function formatSelector(selector: TrafficSelector): string {
  const port = selector.port === undefined ? '' : `/${selector.port}`;
  return `${selector.prefix}[${selector.protocol}${port}]`;
}

/** Exactly what formatSelector writes, or undefined. */
export function parseSelector(text: string): TrafficSelector | undefined {
  const match = /^([0-9a-f:.]+\/\d+)\[([a-z]+)(?:\/(\d+))?\]$/.exec(text);
  const prefix = parsePrefix(match?.[1] ?? '');
  const protocol = PROTOCOLS.find((name) => name === match?.[2]);
  if (prefix === undefined || protocol === undefined) return undefined;
  const selector = withPort(prefix, protocol, match?.[3]);
  return selector !== undefined && formatSelector(selector) === text ? selector : undefined;
}

function withPort(prefix: Prefix, protocol: Protocol, port: string | undefined): TrafficSelector | undefined {
  if (port === undefined) return { prefix, protocol };
  const parsed = parsePort(`${protocol}/${port}`);
  return parsed && { prefix, ...parsed };
}

/** A selector of one prefix and one protocol as charon prints it, or undefined for anything else (ranges, `dynamic`). */
export function readSelector(text: string): PrintedSelector | undefined {
  const match = /^([0-9A-Fa-f:.]+\/\d+)\[([a-z0-9]+)(?:\/([A-Za-z0-9_.-]+))?\]$/.exec(text);
  const prefix = parsePrefix(match?.[1] ?? '');
  const protocol = PROTOCOL_NUMBERS[match?.[2] ?? ''] ?? PROTOCOLS.find((name) => name === match?.[2]);
  if (prefix === undefined || protocol === undefined) return undefined;
  const port = match?.[3];
  return port === undefined
    ? { prefix, protocol }
    : { prefix, protocol, port: /^\d+$/.test(port) ? Number(port) : port };
}

/** Whether charon's text may be this selector: prefix and protocol exactly, the port when it is printed as a number. */
export function agrees(selector: TrafficSelector, printed: string): boolean {
  const read = readSelector(printed);
  if (read?.prefix !== selector.prefix || read.protocol !== selector.protocol) return false;
  return typeof read.port === 'string' ? selector.port !== undefined : read.port === selector.port;
}

/** `IPv4` or `IPv6` prefixes of one pair must not mix; said here because only texts meet here. */
export function sameFamily(a: TrafficSelector, b: TrafficSelector): boolean {
  return familyOf(a.prefix) === familyOf(b.prefix);
}
