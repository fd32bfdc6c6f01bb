// What is said of a peer to which a tunnel was asked for in vain: since when, what charon says, and what to check, on which of the
// two hosts. Pure but for what is remembered: since when.
import type { HostName } from '../domain/facts.ts';
import type { ConnectionName, HostPlan } from '../domain/host-config.ts';
import type { Problem } from '../domain/problem.ts';
import { wholeSeconds } from '../runtime/clock.ts';
import type { Failure, FailureCause } from '../swanctl/failure-words.ts';

export interface UnreachedInput {
  readonly plan: Pick<HostPlan, 'host' | 'connections'>;
  /** Connections to peers that were asked for a tunnel in vain. */
  readonly unanswered: ReadonlySet<ConnectionName>;
  /** What charon said of a connection. */
  readonly heard: (connection: string) => Failure | undefined;
  /** Wall clock in milliseconds. */
  readonly nowMs: number;
  /** Wall clock, by connection. */
  readonly before: UnreachedMemory;
}

export type UnreachedMemory = ReadonlyMap<ConnectionName, number>;

export interface Unreached {
  readonly problems: readonly Problem[];
  readonly memory: UnreachedMemory;
}

export function unreachedOf({ plan, unanswered, heard, nowMs, before }: UnreachedInput): Unreached {
  const memory = new Map([...unanswered].map((name) => [name, before.get(name) ?? nowMs]));
  const problems = plan.connections.flatMap((connection): Problem[] => {
    const sinceMs = memory.get(connection.name);
    if (connection.kind !== 'peer' || sinceMs === undefined) return [];
    const { peer } = connection;
    const message = `No tunnel from ${plan.host} to ${peer} since ${wholeSeconds(sinceMs)}: ${why(plan.host, peer, heard(connection.name))}`;
    return [{ reason: 'PeerNotReached', subject: peer, message }];
  });
  return { problems, memory };
}

function why(host: HostName, peer: HostName, failure: Failure | undefined): string {
  if (failure === undefined)
    return `charon has not said why yet. Check charon on both hosts and the cluster-host network between them.`;
  return `${ADVICE[failure.cause](host, peer)} charon on ${host} says "${failure.words}".`;
}

/** Certificates are the platform's: what to look at is in its own places. */
const ADVICE: Readonly<Record<FailureCause, (host: string, peer: string) => string>> = {
  'no-key': (host) =>
    `${host} has no key for CN=ipsec-${host}. Check the certificate in /etc/swanctl/x509 and its key there, and have the platform renew it.`,
  'not-valid-now': (host, peer) =>
    `the certificate of ${peer} is not valid at the time of ${host}. Renew it on ${peer}, and compare the clocks of both hosts.`,
  'unknown-issuer': (host, peer) =>
    `${host} does not trust the CA that issued the certificate of ${peer}. Compare /etc/swanctl/x509ca on both hosts and the issuer of the certificate on ${peer}.`,
  'other-identity': (_, peer) =>
    `whoever answers at the address of ${peer} has a certificate for another name than CN=ipsec-${peer}. Check the certificate on ${peer}, and that no other host has its address.`,
  proposals: (host, peer) =>
    `${host} and ${peer} have no algorithm in common. Check that the agent on both is running: it loads what IPsecNetwork says; and what charon supports there ("swanctl --list-algs").`,
  'flow-unknown': (_, peer) =>
    `${peer} has not loaded this flow, or has loaded it with other IKE proposals. Check the agent on ${peer} and its IPsecHostReport.`,
  refused: (host, peer) =>
    `${peer} does not accept the certificate of ${host}, or has none of its own to answer with. Check on ${host} that its certificate is for CN=ipsec-${host} and valid at the time of ${peer}, on ${peer} that it is for CN=ipsec-${peer} and that the CA of ${host} is in /etc/swanctl/x509ca. The log of charon on ${peer} says which.`,
  silent: (host, peer) =>
    `${peer} does not answer. Check that charon runs on ${peer} and that UDP ports 500 and 4500 pass between the cluster-host addresses of ${host} and ${peer}.`,
};
