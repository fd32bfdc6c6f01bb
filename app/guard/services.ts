// An address, protocol and port out of an element that nft prints. Pure. What elements there should be: rows.ts.
import { parseAddress, type Address } from '../domain/ip.ts';
import type { Port, Protocol } from '../domain/ports.ts';
import { asFields, asList } from './json.ts';
import { PROTOCOL_NUMBERS } from './rows.ts';

export interface Service extends Port {
  readonly address: Address;
}

/** Undefined for an element that cannot be ours. */
export type ServiceReader = (value: unknown) => Service | undefined;

const PROTOCOLS = new Map<unknown, Protocol>(
  (Object.entries(PROTOCOL_NUMBERS) as [Protocol, number][]).flatMap(([name, number]) => [
    [name, name],
    [number, name],
  ]),
);

/** Reads each address once: of 10,000 endpoints parsing IPv6 was most of the time of a pass. */
export function serviceReader(): ServiceReader {
  const addresses = new Map<unknown, Address | undefined>();
  const addressOf = (text: unknown): Address | undefined => {
    if (!addresses.has(text)) addresses.set(text, typeof text === 'string' ? parseAddress(text) : undefined);
    return addresses.get(text);
  };
  return (value) => {
    const [addressText, protocolText, port] = asList(asFields(value)?.['concat']);
    const [address, protocol] = [addressOf(addressText), PROTOCOLS.get(protocolText)];
    if (address === undefined || protocol === undefined || typeof port !== 'number') return undefined;
    return { address, protocol, port };
  };
}
