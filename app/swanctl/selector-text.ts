// How one traffic selector is written: for people `172.16.166.178/32[udp/53]`, for charon `172.16.166.178/32[17/53]`. charon
// prints names out of the host's /etc/services, so reading its answers (readSelector) is more lenient than ours.
import type { TrafficSelector } from '../domain/host-config.ts';
import { familyOf, parsePrefix, type Prefix } from '../domain/ip.ts';
import { parsePort, PROTOCOLS, type Protocol } from '../domain/ports.ts';

/**
 * A selector as charon prints it. `port` is a number, the name of a service, or absent for all ports. The printed protocol
 * is left out, because it may be another one's: getprotobynumber() has one buffer for all threads of charon (5.9.8,
 * traffic_selector.c; the testbed saw udp for tcp). A child's name says its protocol.
 */
export interface PrintedSelector {
  readonly prefix: Prefix;
  readonly port?: number | string;
}

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

/** IANA's numbers. */
const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/**
 * As charon gets it, over VICI and in the file: the protocol too is a number. A name it looks up with getprotobyname(), whose
 * one buffer all its threads share, so that a `[tcp]` loaded while another session loads `[udp]` may become udp (5.9.8, parse_ts
 * in vici_config.c; 76 of 7,327 loads under stress, none with a number). Other sessions are the platform's `--load-conns`.
 */
export function charonSelector(selector: TrafficSelector): string {
  const port = selector.port === undefined ? '' : `/${selector.port}`;
  return `${selector.prefix}[${PROTOCOL_NUMBERS[selector.protocol]}${port}]`;
}

/** Exactly what charonSelector writes, or undefined. */
export function parseCharonSelector(text: string): TrafficSelector | undefined {
  const protocol = PROTOCOLS.find((name) => text.includes(`[${PROTOCOL_NUMBERS[name]}`));
  if (protocol === undefined) return undefined;
  const selector = parseSelector(text.replace(`[${PROTOCOL_NUMBERS[protocol]}`, `[${protocol}`));
  return selector !== undefined && charonSelector(selector) === text ? selector : undefined;
}

/** A selector of one prefix and some protocol as charon prints it, or undefined for anything else (ranges, `dynamic`). */
export function readSelector(text: string): PrintedSelector | undefined {
  const match = /^([0-9A-Fa-f:.]+\/\d+)\[[A-Za-z0-9_.-]+(?:\/([A-Za-z0-9_.-]+))?\]$/.exec(text);
  const prefix = parsePrefix(match?.[1] ?? '');
  if (prefix === undefined) return undefined;
  const port = match?.[2];
  return port === undefined ? { prefix } : { prefix, port: /^\d+$/.test(port) ? Number(port) : port };
}

/** Whether charon's text may be this selector: the prefix exactly, the port when it is printed as a number. */
export function agrees(selector: TrafficSelector, printed: string): boolean {
  const read = readSelector(printed);
  if (read?.prefix !== selector.prefix) return false;
  return typeof read.port === 'string' ? selector.port !== undefined : read.port === selector.port;
}

/** `IPv4` or `IPv6` prefixes of one pair must not mix; said here because only texts meet here. */
export function sameFamily(a: TrafficSelector, b: TrafficSelector): boolean {
  return familyOf(a.prefix) === familyOf(b.prefix);
}
