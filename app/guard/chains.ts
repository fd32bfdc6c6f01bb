// What the guard's chains look at, where, and what they do with it: the rules as data. Pure. The text that creates a table
// with them: ruleset.ts. Elements of the sets: rows.ts.
//
// Not used on purpose: `ipsec in/out` (NFT_XFRM is missing on the platform) and names of protocols (they need /etc/protocols).
import type { Family } from '../domain/ip.ts';
import { PROTOCOL_NUMBERS } from './rows.ts';

/** What was held, or in mode observe would have been, by where it was seen. */
export const DROP_COUNTERS = ['ingress', 'egress', 'cluster_ip', 'masqueraded', 'icmp_errors'] as const;
export type DropCounter = (typeof DROP_COUNTERS)[number];

/** The chain that ends the way of what is held: with a rule in mode enforce, empty in mode observe. */
export const HELD_CHAIN = 'held';
export const ENFORCE_COMMENT = 'enforce';

export interface Rule {
  readonly text: string;
  /** For whoever reads `nft list ruleset`, and for us to see that the rule is still there. */
  readonly comment: string;
}

export interface Chain {
  readonly name: string;
  readonly hook?: { readonly name: string; readonly priority: number };
  readonly rules: readonly Rule[];
}

const FAMILIES: readonly Family[] = [4, 6];
const SERVICE_PROTOCOLS = Object.values(PROTOCOL_NUMBERS).join(', ');
// Errors that quote a packet: ICMP unreachable, quench, redirect, time exceeded, parameter problem; ICMPv6 the same and too big.
const ICMP_ERRORS = ['icmp type { 3, 4, 5, 11, 12 }', 'icmpv6 type { 1, 2, 3, 4 }'];

/**
 * ```
 * demand        prerouting   -90   counts requests by endpoint, asks for reassembly
 * segment_size  forward     -150   TCP segments that fit into ESP
 * ingress       forward      -10   from another host, without IPsec
 * egress        postrouting   90   to another host, without IPsec
 * masqueraded   postrouting  110   the same, of what masquerading has just changed
 * icmp_errors, held                jumped to by these
 * ```
 * `localInterfaces`: the name of local pods' interfaces, `cali*`. Throws on anything but a name with at most one `*` at its end.
 */
export function guardChains(localInterfaces: string): Chain[] {
  if (!/^[A-Za-z0-9_.-]{1,14}\*?$/.test(localInterfaces))
    throw new Error(`not a name of interfaces: ${localInterfaces}`);
  return [
    { name: HELD_CHAIN, rules: [] },
    { name: 'icmp_errors', rules: FAMILIES.flatMap(icmpRules) },
    demandChain(),
    segmentSizeChain(),
    ingressChain(localInterfaces),
    egressChain(localInterfaces),
    masqueradedChain(localInterfaces),
  ];
}

/**
 * After DNAT (-100), so that requests by cluster IP count too. The connection tracking that it asks for makes the kernel
 * reassemble fragments before any chain: without it all but the first pass, having no ports.
 */
function demandChain(): Chain {
  return {
    name: 'demand',
    hook: { name: 'prerouting', priority: -90 },
    rules: [
      { text: 'ct direction original', comment: 'fragments are reassembled where connections are tracked' },
      ...FAMILIES.map((family) => ({
        text: request(family, 'endpoints'),
        comment: `IPv${family} packet towards a protected endpoint, counted by its element`,
      })),
    ],
  };
}

/** Path MTU discovery may be filtered on the hosts; the kernel only ever lowers the option. */
function segmentSizeChain(): Chain {
  return {
    name: 'segment_size',
    hook: { name: 'forward', priority: -150 },
    rules: [
      {
        text: 'tcp flags & (syn|rst) == syn rt ipsec exists tcp option maxseg size set rt mtu',
        comment: 'TCP segments that fit into ESP',
      },
    ],
  };
}

/** Before filter (0). What comes from another host; packets that wait for an SA never get here. */
function ingressChain(localInterfaces: string): Chain {
  return {
    name: 'ingress',
    hook: { name: 'forward', priority: -10 },
    rules: [
      { text: 'meta ipsec exists accept', comment: 'came by IPsec' },
      { text: `iifname "${localInterfaces}" accept`, comment: 'comes from a pod of this host' },
      ...FAMILIES.flatMap((family) => flowRules(family, 'ingress')),
      ...icmpJumps(),
    ],
  };
}

/** Before SNAT (100), after which replies show the service's port. What leaves this host. */
function egressChain(localInterfaces: string): Chain {
  return {
    name: 'egress',
    hook: { name: 'postrouting', priority: 90 },
    rules: [
      ...leavesByIpsec(localInterfaces),
      ...FAMILIES.flatMap((family) => flowRules(family, 'egress')),
      ...FAMILIES.flatMap((family) => [
        hold(
          `${clientIsPod(family)} ${translated(family)}`,
          'cluster_ip',
          `IPv${family} request to a held cluster IP, whichever pod it was given`,
        ),
        hold(
          `${ip(family)} saddr @pools${family} ${request(family, 'cluster_ips')}`,
          'cluster_ip',
          `IPv${family} request to a held cluster IP that nothing has translated`,
        ),
      ]),
      ...icmpJumps(),
    ],
  };
}

/** After SNAT (100): a masqueraded packet is given its policy a second time and leaves in plaintext (measured). */
function masqueradedChain(localInterfaces: string): Chain {
  return {
    name: 'masqueraded',
    hook: { name: 'postrouting', priority: 110 },
    rules: [
      ...leavesByIpsec(localInterfaces),
      ...FAMILIES.flatMap((family) => [
        hold(
          `ct status snat ${clientIsPod(family)} ${request(family, 'holding')}`,
          'masqueraded',
          `IPv${family} masqueraded request from a pod to a held endpoint`,
        ),
        hold(
          `ct status snat ${clientIsPod(family)} ${translated(family)}`,
          'masqueraded',
          `IPv${family} masqueraded request from a pod to a held cluster IP`,
        ),
      ]),
    ],
  };
}

function leavesByIpsec(localInterfaces: string): Rule[] {
  return [
    { text: 'rt ipsec exists accept', comment: 'leaves by IPsec' },
    { text: `oifname "${localInterfaces}" accept`, comment: 'goes to a pod of this host' },
  ];
}

/** Both directions between a pod and a held endpoint. Clients that are no pods stay as they are. */
function flowRules(family: Family, counter: DropCounter): Rule[] {
  const [l3, pools] = [ip(family), `@pools${family}`];
  return [
    hold(
      `${l3} saddr ${pools} ${request(family, 'holding')}`,
      counter,
      `IPv${family} request from a pod to a held endpoint`,
    ),
    hold(
      `${l3} daddr ${pools} ${l3} saddr . meta l4proto . th sport @holding${family}`,
      counter,
      `IPv${family} reply from a held endpoint to a pod`,
    ),
  ];
}

/**
 * The connection that an error is about, not the error's own addresses: it may come from a router, and other ports of the
 * endpoint stay as they are. Seen from either side, since a connection may be picked up by its replies. nft knows the type of
 * `proto-src` only after some protocol with ports was named, hence 17 beside ICMP; the kernel compares what it loads.
 */
function icmpRules(family: Family): Rule[] {
  const [l3, protocols] = [ip(family), `meta l4proto { ${family === 4 ? 1 : 58}, 17 }`];
  const about = (client: string, endpoint: string): string =>
    `${protocols} ct ${client} ${l3} saddr @pools${family} ` +
    `ct ${endpoint} ${l3} saddr . ct protocol . ct ${endpoint} proto-src @holding${family}`;
  return [
    hold(
      about('original', 'reply'),
      'icmp_errors',
      `ICMP error about an IPv${family} flow of a held endpoint`,
    ),
    hold(
      about('reply', 'original'),
      'icmp_errors',
      `ICMP error about an IPv${family} flow of a held endpoint, seen from its reply`,
    ),
  ];
}

function icmpJumps(): Rule[] {
  return ICMP_ERRORS.map((match) => ({
    text: `${match} jump icmp_errors`,
    comment: 'an error quotes what it is about',
  }));
}

/** `goto`: what is held in mode observe is counted once and goes its way. */
function hold(match: string, counter: DropCounter, comment: string): Rule {
  return { text: `${match} counter name ${counter} goto ${HELD_CHAIN}`, comment };
}

function request(family: Family, set: 'endpoints' | 'holding' | 'cluster_ips'): string {
  return `${ip(family)} daddr . meta l4proto . th dport @${set}${family}`;
}

function clientIsPod(family: Family): string {
  return `ct direction original ct original ${ip(family)} saddr @pools${family}`;
}

function translated(family: Family): string {
  const l3 = ip(family);
  return (
    `${l3} daddr @pools${family} meta l4proto { ${SERVICE_PROTOCOLS} } ` +
    `ct original ${l3} daddr . meta l4proto . ct original proto-dst @cluster_ips${family}`
  );
}

function ip(family: Family): 'ip' | 'ip6' {
  return family === 4 ? 'ip' : 'ip6';
}
