// How each fault of the table is made in the lab, and mended. Nothing is waited for here: what is seen of a fault, and when, is the
// test's business.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  blockAffinityObject,
  endpointSliceObject,
  ipamBlockObject,
  nodeStatus,
} from '../../support/kubernetes-objects.ts';
import type { KubeObject } from '../lab/api.ts';
import { calico, typed } from '../lab/cluster.ts';
import { makePki, type Certificate } from '../lab/pki.ts';
import { HOSTS } from '../lab/topology.ts';
import { ASKED, BOTH, type FaultScene } from './scene.ts';
import { CLIENT_HOST, SERVER_HOST } from './table.ts';

export interface Act {
  /** The client asks all the time, until the fault is mended. */
  readonly asks?: true;
  readonly make: (scene: FaultScene) => Promise<unknown>;
  readonly mend: (scene: FaultScene) => Promise<unknown>;
}

const FILE = '/etc/swanctl/conf.d/k8s-nodes.conf';

/** By the name of the fault; those that the lab cannot make, or that nothing shows, are not among them. */
export const ACTS: Readonly<Record<string, Act>> = {
  'charon is down on a host': {
    make: ({ lab }) => lab.killCharon(CLIENT_HOST, 'SIGTERM'),
    mend: ({ lab }) => lab.restartCharon(CLIENT_HOST),
  },
  'the agent is down on a host': {
    make: async ({ killAgent, apply }) => {
      await killAgent(CLIENT_HOST);
      await apply(BOTH);
    },
    mend: async ({ startAgent, apply }) => {
      await startAgent(CLIENT_HOST);
      await apply(ASKED);
    },
  },
  "the peer's certificate is for another name": certificate(({ lab }) =>
    lab.issueCertificate('ipsec-worker-9'),
  ),
  "the peer's certificate is expired": certificate(({ lab }) =>
    lab.expiredCertificate(`ipsec-${SERVER_HOST}`),
  ),
  "the CA of the peer's certificate is unknown": certificate(() => ofAnotherCa(`ipsec-${SERVER_HOST}`)),
  'proposals differ': {
    asks: true,
    make: async ({ lab, op, killAgent }) => {
      await killAgent(SERVER_HOST);
      const own = await lab.readFile(SERVER_HOST, FILE);
      const others = own.replaceAll('aes128gcm16', 'aes256gcm16');
      await lab.writeFiles(SERVER_HOST, { [FILE]: others });
      await lab.swanctl(SERVER_HOST, '--load-conns');
      await end({ lab, op });
    },
    mend: ({ startAgent }) => startAgent(SERVER_HOST),
  },
  'a firewall drops UDP 500 and 4500': firewall('udp dport { 500, 4500 }', true),
  'a firewall drops ESP': firewall('meta l4proto esp', false),
  'a host has no Calico block': {
    make: async ({ lab }) => {
      for (const block of HOSTS[CLIENT_HOST].blocks) await lab.removeBlock(block);
    },
    mend: async ({ lab }) => {
      for (const block of HOSTS[CLIENT_HOST].blocks) await lab.addBlock(CLIENT_HOST, block);
    },
  },
  'a host with endpoints has no agent': {
    make: async ({ lab, apply }) => {
      for (const object of elsewhere()) await lab.api.apply(object);
      await lab.api.patchStatus(typed('v1', 'Node', { ...STORAGE, ...nodeStatus(['192.168.206.77']) }));
      await apply(ASKED, [{ service: 'elsewhere', ports: 'udp/5009' }]);
    },
    mend: async ({ lab, apply }) => {
      await apply(ASKED);
      for (const object of elsewhere()) await lab.api.remove(object);
    },
  },
  'an endpoint is on the host network': {
    make: async ({ lab, apply }) => {
      await lab.addService({
        name: 'bare',
        selector: { app: 'bare' },
        ports: [{ port: 5010, protocol: 'UDP' }],
      });
      await lab.addPod({
        host: SERVER_HOST,
        name: 'bare',
        addresses: [HOSTS[SERVER_HOST].cluster],
        labels: { app: 'bare' },
        hostNetwork: true,
      });
      await apply(ASKED, [{ service: 'bare', ports: 'udp/5010' }]);
    },
    mend: async ({ lab, apply }) => {
      await apply(ASKED);
      await lab.removePod('default/bare');
      await lab.removeService('default', 'bare');
    },
  },
  'the service lacks a port': {
    make: ({ apply }) => apply(`${ASKED},tcp/9999`),
    mend: ({ apply }) => apply(ASKED),
  },
  'the guard cannot be kept': {
    make: async ({ killAgent, startAgent }) => {
      await killAgent(CLIENT_HOST);
      await startAgent(CLIENT_HOST, { PATH: '/nowhere' });
    },
    mend: async ({ killAgent, startAgent }) => {
      await killAgent(CLIENT_HOST);
      await startAgent(CLIENT_HOST);
    },
  },
  'somebody flushes the guard': {
    make: ({ lab }) => lab.run(CLIENT_HOST, ['nft', 'flush', 'ruleset']),
    mend: () => Promise.resolve(),
  },
  'the API server refuses the reports': {
    make: async ({ lab, apply }) => {
      const role = await lab.api.get(AGENT_ROLE);
      const rules = (role['rules'] as readonly { readonly resources: readonly string[] }[]).filter(
        ({ resources }) => !resources.includes('ipsechostreports/status'),
      );
      await lab.api.call('PATCH', AGENT_ROLE, { rules }, 'application/merge-patch+json');
      await apply(BOTH);
    },
    mend: async ({ lab, apply }) => {
      const role = await lab.api.get(AGENT_ROLE);
      const right = { apiGroups: ['starlingx.io'], resources: ['ipsechostreports/status'], verbs: ['patch'] };
      const rules = [...(role['rules'] as readonly object[]), right];
      await lab.api.call('PATCH', AGENT_ROLE, { rules }, 'application/merge-patch+json');
      await apply(ASKED);
    },
  },
  'the clock of a host is wrong': {
    // One kernel, one clock; the API server is outside. Ahead, because before they were made its certificates are not valid.
    make: ({ lab }) => lab.run('guest', ['date', '-s', '+3 hours']),
    mend: ({ lab }) => lab.run('guest', ['date', '-s', '-3 hours']),
  },
};

const AGENT_ROLE = '/apis/rbac.authorization.k8s.io/v1/clusterroles/ipsec-policy-agent';

/** The server's host proves who it is with this; what stands is ended, so that tunnels are made again. */
function certificate(issue: (scene: FaultScene) => Certificate): Act {
  return {
    asks: true,
    make: async (scene) => {
      await scene.lab.installCertificate(SERVER_HOST, issue(scene));
      await end(scene);
    },
    mend: ({ lab }) => lab.renewCertificate(SERVER_HOST),
  };
}

function ofAnotherCa(commonName: string): Certificate {
  const dir = mkdtempSync(join(tmpdir(), 'other-pki-'));
  try {
    return makePki(dir, 'ecdsa').issue(commonName);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function firewall(match: string, endsTunnels: boolean): Act {
  const table = `table inet firewall {
  chain in {
    type filter hook prerouting priority -500
    iifname "cluster" ${match} drop
  }
}`;
  return {
    asks: true,
    make: async (scene) => {
      await scene.lab.run(SERVER_HOST, ['nft', table]);
      if (endsTunnels) await end(scene);
    },
    mend: ({ lab }) => lab.run(SERVER_HOST, ['nft', 'delete table inet firewall']),
  };
}

/** At both ends, without asking the other: one of them may not hear. */
async function end({ lab }: Pick<FaultScene, 'lab' | 'op'>): Promise<void> {
  for (const [host, peer] of [
    [CLIENT_HOST, SERVER_HOST],
    [SERVER_HOST, CLIENT_HOST],
  ] as const)
    await lab.exec(host, ['swanctl', '--terminate', '--ike', `k8s-node-${peer}`, '--force']);
}

const STORAGE = { metadata: { name: 'storage-9' } };
const BLOCK = '172.16.200.0/26';

function elsewhere(): KubeObject[] {
  const slice = endpointSliceObject({
    namespace: 'default',
    name: 'elsewhere-1',
    service: 'elsewhere',
    ports: [{ name: 'udp-5009', protocol: 'UDP', port: 5009 }],
    endpoints: [{ addresses: ['172.16.200.5'], nodeName: 'storage-9' }],
  });
  return [
    typed('v1', 'Node', STORAGE),
    calico('IPAMBlock', ipamBlockObject(BLOCK, 'storage-9')),
    calico('BlockAffinity', blockAffinityObject(BLOCK, 'storage-9')),
    typed('v1', 'Service', {
      metadata: { namespace: 'default', name: 'elsewhere' },
      spec: { ports: [{ name: 'udp-5009', protocol: 'UDP', port: 5009 }] },
    }),
    typed('discovery.k8s.io/v1', 'EndpointSlice', slice),
  ];
}
