// What a user or the cluster got wrong, as values that end in conditions and events; never thrown.

/** CamelCase reasons, one sentence each in docs. The first group concerns a policy row, the second a host. */
export type ProblemReason =
  | 'InvalidPorts'
  | 'ServiceNotFound'
  | 'ExternalNameService'
  | 'PortNotFound'
  | 'EndpointOnHostNetwork'
  | 'EndpointWithoutOwner'
  | 'EndpointHostMismatch'
  | 'UnsupportedHostName'
  | 'TooManyFlows'
  | 'HostWithoutAgent'
  | 'HostWithoutPodPrefix'
  | 'HostWithoutAddress'
  | 'HostNotReady'
  | 'PeerWithoutAddressFamily'
  | 'PrefixClaimedTwice'
  | 'NoAgents'
  | 'LoadFailed'
  | 'TrapMissing'
  | 'CharonUnreachable'
  | 'FileNotWritten'
  | 'PeerNotReached'
  | 'TunnelSilent'
  | 'ClockOff'
  | 'FactsVanished'
  | 'FactsUnreadable'
  | 'GuardMissing';

export interface Problem {
  readonly reason: ProblemReason;
  /** What it is about: `kube-system/kube-dns`, a host, a connection. */
  readonly subject: string;
  /** One sentence that says what is wrong and what to do. */
  readonly message: string;
}

export function compareProblems(a: Problem, b: Problem): number {
  return (
    compareText(a.subject, b.subject) || compareText(a.reason, b.reason) || compareText(a.message, b.message)
  );
}

/** Order by code units: the same on every host, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
