// Everything that can go wrong with a protected service, and where a person sees it within 30 s. The test makes each fault in the
// lab and waits for each sign; scripts/troubleshoot.ts writes docs/how-to/troubleshoot.md of the same rows.
import type { Fault, None } from './fault.ts';

export const POLICY = 'web';
/** Asks; its pods are clients of the service. */
export const CLIENT_HOST = 'worker-0';
/** Answers; the service's endpoint is there. */
export const SERVER_HOST = 'controller-0';

const problems = (of: string) => ({ of, name: 'ipsec_policy_problems', becomes: 'above zero' }) as const;
const handshakes = {
  of: CLIENT_HOST,
  name: 'ipsec_policy_failed_handshakes_total',
  labels: { peer: SERVER_HOST },
  becomes: 'grows',
} as const;
const notProgrammed = {
  of: 'manager',
  name: 'ipsec_policy_policies_not_programmed',
  becomes: 'above zero',
} as const;
const ofReport = (reason: string) => ({ on: 'IPsecHostReport', name: CLIENT_HOST, reason }) as const;
const ofPolicy = (reason: string) => ({ on: 'IPsecPolicy', name: POLICY, reason }) as const;

const STILL_IN_FORCE: None = {
  none: 'stays True: all that the policy asks for is in force, and nothing leaves in plaintext',
};

/** A tunnel that cannot be made: seen by the host that asks. */
function handshake(says: RegExp): Fault['signs'] {
  return {
    condition: { type: 'Programmed', reason: 'PeerNotReached', says },
    event: ofReport('PeerNotReached'),
    metric: handshakes,
    status: { line: new RegExp(`host ${CLIENT_HOST}: PeerNotReached ${SERVER_HOST}: .*${says.source}`) },
  };
}

const BACK_BY_THEMSELVES =
  'Then nothing is to be done for tunnels: the next packet that asks makes them, within a minute.';

export const FAULTS: readonly Fault[] = [
  {
    name: 'charon is down on a host',
    quick: true,
    isShown: true,
    lab: `charon of ${CLIENT_HOST} is ended by SIGTERM and not started again`,
    signs: {
      condition: { type: 'Programmed', reason: 'CharonUnreachable', says: new RegExp(`${CLIENT_HOST}: `) },
      event: ofReport('CharonUnreachable'),
      metric: { of: CLIENT_HOST, name: 'ipsec_policy_charon_connected', becomes: 'zero' },
      status: { line: new RegExp(`host ${CLIENT_HOST}: CharonUnreachable charon: `) },
    },
    cure: [
      'On the host: whether charon runs (`pgrep -a charon`) and its log. The platform (pmon) starts it again.',
      'Meanwhile the guard holds what has no tunnel; tunnels that were in use are made again by the agent when charon is back.',
    ],
  },
  {
    name: 'the agent is down on a host',
    lab: `the agent of ${CLIENT_HOST} is killed and not started again, then the policy gets another port`,
    signs: {
      condition: { type: 'Programmed', reason: 'Pending', says: new RegExp(`Hosts ${CLIENT_HOST}: `) },
      event: ofPolicy('NotProgrammed'),
      metric: { of: CLIENT_HOST, name: 'ipsec_policy_problems', becomes: 'unreadable' },
      status: { line: new RegExp(`host ${CLIENT_HOST}: The pod of its agent is not ready`) },
    },
    cure: [
      '`kubectl -n ipsec-policy-operator get pods -o wide` and the log of the pod on that host.',
      'What is loaded goes on protecting; the condition changes only when something is asked of the host that it does not do. `AgentSilent` on its IPsecHostReport follows 30 s later.',
    ],
  },
  {
    name: 'a trap policy is refused',
    lab: 'not made: no kernel here could be brought to refuse a policy; the signs are those of unit tests (test/unit/agent/report.test.ts)',
    signs: {
      condition: { type: 'Programmed', reason: 'TrapMissing', says: new RegExp(`${CLIENT_HOST}: children`) },
      event: ofReport('TrapMissing'),
      metric: { of: CLIENT_HOST, name: 'ipsec_policy_flows_not_in_force', becomes: 'above zero' },
      status: { line: new RegExp(`host ${CLIENT_HOST}: TrapMissing k8s-node-${SERVER_HOST}: `) },
    },
    cure: [
      'On the host: `swanctl --list-pols --trap`, `ip xfrm policy` and the log of charon at that time ("unable to add policy", "installing trap failed").',
      'The agent tries again by itself in each look, and on every host at which a policy is refused the guard holds the traffic.',
    ],
  },
  {
    name: "the peer's certificate is for another name",
    lab: `${SERVER_HOST} has a certificate for CN=ipsec-worker-9`,
    signs: handshake(/does not accept the certificate of \S+, or has none of its own to answer with/),
    cure: [
      `On the peer: \`openssl x509 -noout -subject -issuer -dates -in /etc/swanctl/x509/system-ipsec-certificate-<host>.crt\` must say CN=ipsec-<host>.`,
      'Have the platform issue it anew.',
      BACK_BY_THEMSELVES,
    ],
  },
  {
    name: "the peer's certificate is expired",
    lab: `${SERVER_HOST} has a certificate that ended yesterday`,
    signs: handshake(/the certificate of \S+ is not valid at the time of /),
    cure: [
      'On the peer: `openssl x509 -noout -dates -in /etc/swanctl/x509/system-ipsec-certificate-<host>.crt`, and `date` on both hosts.',
      'Have the platform renew it: its daily job does so 15 days before the end; see why it did not. Tunnels that stand go on until they are authenticated anew (four hours at most).',
      BACK_BY_THEMSELVES,
    ],
  },
  {
    name: "the CA of the peer's certificate is unknown",
    lab: `${SERVER_HOST} has a certificate CN=ipsec-${SERVER_HOST} of another CA`,
    signs: handshake(/does not trust the CA that issued the certificate of /),
    cure: [
      'Compare `swanctl --list-certs --type x509` of both hosts: issuer of the certificate, CAs that the other host has.',
      'Have the platform renew the certificate of the host with the older CA.',
      BACK_BY_THEMSELVES,
    ],
  },
  {
    name: 'proposals differ',
    lab: `on ${SERVER_HOST} the agent is stopped and another ESP proposal is loaded`,
    signs: handshake(/have no algorithm in common/),
    cure: [
      'The agent loads the proposals of `kubectl get ipsecnetworks cluster -o yaml` on every host: see whether it runs on both.',
      'IKE proposals that differ read "has not loaded this flow, or has loaded it with other IKE proposals": charon then takes the request for one of the platform.',
      BACK_BY_THEMSELVES,
    ],
  },
  {
    name: 'a firewall drops UDP 500 and 4500',
    quick: true,
    isShown: true,
    lab: `nftables on ${SERVER_HOST} drops both ports of the cluster-host network`,
    signs: handshake(/does not answer\. Check that charon runs on /),
    cure: [
      'On both hosts: `tcpdump -ni <cluster-host interface> udp port 500 or udp port 4500` while a pod asks.',
      'Let UDP 500 and 4500 and IP protocol 50 pass between the cluster-host addresses of all hosts.',
      BACK_BY_THEMSELVES,
    ],
  },
  {
    name: 'a firewall drops ESP',
    lab: `nftables on ${SERVER_HOST} drops IP protocol 50 of the cluster-host network`,
    signs: {
      condition: STILL_IN_FORCE,
      event: ofReport('TunnelSilent'),
      metric: problems(CLIENT_HOST),
      status: { line: new RegExp(`host ${CLIENT_HOST}: TunnelSilent ${SERVER_HOST}: `) },
    },
    cure: [
      'On both hosts: `tcpdump -ni <cluster-host interface> esp` while a pod asks: what one sends must arrive at the other.',
      'Where ESP arrives and is answered, see whether the pod answers. A service that never answers (a sink for logs over UDP) looks the same from the sending host: nothing is to be done then.',
    ],
  },
  {
    name: 'the path MTU is too small',
    lab: 'not made: nothing would show it',
    signs: {
      condition: STILL_IN_FORCE,
      event: {
        none: 'no program of ours sees sizes of packets: small packets are answered, large ones are not',
      },
      metric: { none: 'as for the event' },
      status: { none: 'as for the event' },
    },
    cure: [
      'The sign: connections are made and hang with the first large answer. From one host to the other: `ping -M do -s 1472 <cluster-host address>`, then smaller, until it is answered; 28 more is the path MTU.',
      'ESP takes 54 bytes of each packet (measured: of 1500 are 1446 left), 20 more between IPv6 addresses. Give pods an MTU that leaves them room (`veth_mtu` of Calico), and let ICMP "fragmentation needed" pass on the cluster-host network.',
    ],
  },
  {
    name: 'a host has no Calico block',
    lab: `the blocks of ${CLIENT_HOST} are taken from it`,
    signs: {
      condition: { none: 'a host without pods lacks nothing' },
      event: { on: 'Node', name: CLIENT_HOST, reason: 'HostWithoutPodPrefix' },
      metric: {
        of: CLIENT_HOST,
        name: 'ipsec_policy_flows',
        labels: { service: 'default/web' },
        becomes: 'absent',
      },
      status: { none: 'a host without pods lacks nothing' },
    },
    cure: [
      'Nothing, where it runs no pods. Else: `kubectl get blockaffinities.crd.projectcalico.org | grep <host>` and the state of calico-node there.',
      'The traffic of its pods to protected services is held until Calico has given it a block.',
    ],
  },
  {
    name: 'a host with endpoints has no agent',
    quick: true,
    lab: 'a Node storage-9 without the label of the agent has a Calico block and an endpoint of a protected service',
    signs: {
      condition: {
        type: 'Programmed',
        reason: 'HostWithoutAgent',
        says: /are on storage-9, which has no agent/,
      },
      event: ofPolicy('HostWithoutAgent'),
      metric: notProgrammed,
      status: { line: /policy web: HostWithoutAgent: .*storage-9, which has no agent/ },
    },
    cure: [
      '`kubectl label node <host> ipsec-policy-agent-operator=enabled` (StarlingX: `system host-label-assign <host> ipsec-policy-agent-operator=enabled`). A storage host has no charon: move the pods.',
    ],
  },
  {
    name: 'an endpoint is on the host network',
    quick: true,
    lab: `a pod of ${SERVER_HOST} with hostNetwork is behind a protected service`,
    signs: {
      condition: {
        type: 'ResolvedRefs',
        reason: 'EndpointOnHostNetwork',
        says: /in a host's own network and stay unprotected/,
      },
      event: ofPolicy('EndpointOnHostNetwork'),
      metric: { none: 'the policy is in force as far as it can be' },
      status: { line: /policy web: EndpointOnHostNetwork: / },
    },
    cure: [
      'Run these pods without `hostNetwork`, or take the row out of the policy: they stay in plaintext.',
    ],
  },
  {
    name: 'the service lacks a port',
    quick: true,
    lab: 'the policy names tcp/9999',
    signs: {
      condition: {
        type: 'ResolvedRefs',
        reason: 'PortNotFound',
        says: /has no port tcp\/9999 that leads to a pod/,
      },
      event: ofPolicy('PortNotFound'),
      metric: notProgrammed,
      status: { line: /policy web: PortNotFound: .*tcp\/9999/ },
    },
    cure: [
      'Correct `serviceports`, or the ports of the Service. Other ports of the row are protected meanwhile.',
    ],
  },
  {
    name: 'the guard cannot be kept',
    quick: true,
    lab: `the agent of ${CLIENT_HOST} finds no nft`,
    signs: {
      condition: {
        type: 'Programmed',
        reason: 'GuardMissing',
        says: new RegExp(`${CLIENT_HOST}: The guard cannot be kept`),
      },
      event: ofReport('GuardMissing'),
      metric: { of: CLIENT_HOST, name: 'ipsec_policy_guard_not_in_place', becomes: 'above zero' },
      status: { line: new RegExp(`host ${CLIENT_HOST}: GuardMissing guard: `) },
    },
    cure: [
      'The message says why: a kernel without nf_tables (`nft list tables` on the host), a missing capability, a broken image.',
      'Tunnels protect meanwhile; what has none while charon is away is not held.',
    ],
  },
  {
    name: 'somebody flushes the guard',
    quick: true,
    lab: `\`nft flush ruleset\` on ${CLIENT_HOST}`,
    signs: {
      condition: {
        none: 'the agent puts it back before the next report: what stays wrong is `GuardMissing`',
      },
      event: { ...ofReport('GuardRepaired'), isOnce: true },
      metric: { of: CLIENT_HOST, name: 'ipsec_policy_guard_repairs_total', becomes: 'grows' },
      status: { none: '`status -o wide` counts repairs; nothing is wrong any more' },
    },
    cure: [
      "Find who does it: `nft monitor` on the host. The first line of Debian's /etc/nftables.conf is `flush ruleset`: a reload of nftables.service is the usual one.",
    ],
  },
  {
    name: 'the API server refuses the reports',
    lab: 'the ClusterRole of the agents loses the right to write reports, then the policy gets another port',
    signs: {
      condition: { type: 'Programmed', reason: 'Pending', says: /Hosts .*worker-0/ },
      event: ofPolicy('NotProgrammed'),
      metric: {
        of: CLIENT_HOST,
        name: 'ipsec_policy_failures_total',
        labels: { error: 'ApiError' },
        becomes: 'grows',
      },
      status: { line: new RegExp(`policy web: ${CLIENT_HOST} lacks default\\.web\\.0 as it stands now`) },
    },
    cure: [
      '`kubectl auth can-i patch ipsechostreports/status --as=system:serviceaccount:ipsec-policy-operator:ipsec-policy-agent` must say yes; the log of the agent has the words of the API server.',
      'Apply the application again: its ClusterRoles come with it.',
    ],
  },
  {
    name: 'the clock of a host is wrong',
    lab: 'the clock of all three hosts is set three hours ahead of the API server',
    signs: {
      condition: STILL_IN_FORCE,
      event: ofReport('ClockOff'),
      metric: problems(CLIENT_HOST),
      status: { line: new RegExp(`host ${CLIENT_HOST}: ClockOff ${CLIENT_HOST}: `) },
    },
    cure: [
      'On the host: `chronyc tracking` (or `ntpq -p`), `date`. Compare with the controllers.',
      'Certificates are judged by it: a clock that is far enough off makes `PeerNotReached` of all peers.',
    ],
  },
];
