import { expect } from 'chai';
import type { HostTruth } from '../../../app/commands/host-truth.ts';
import { judgeService, type JudgedPair, type TwoLooks } from '../../../app/commands/judge-service.ts';
import { probeScript } from '../../../app/commands/probe.ts';
import { verifyText } from '../../../app/commands/verify-text.ts';
import { painter } from '../../../app/commands/table.ts';
import type { Facts } from '../../../app/domain/facts.ts';
import type { ChildSa } from '../../../app/swanctl/loaded.ts';
import { address, endpoint, host, hostName, network, shard } from '../../support/facts-builders.ts';

const FACTS: Facts = {
  network: network(),
  hosts: [
    host('controller-0', ['192.168.206.2'], ['172.16.192.64/26']),
    host('worker-0', ['192.168.206.66'], ['172.16.43.0/26', '172.16.44.0/26']),
  ],
  shards: [
    shard({
      of: 'kube-system/kube-dns',
      stages: 'udp/53',
      endpoints: [endpoint('172.16.192.115', 'controller-0', 'udp/53')],
    }),
    shard({
      of: 'default/web',
      stages: 'tcp/80',
      endpoints: [endpoint('172.16.43.9', 'worker-0', 'tcp/80')],
    }),
  ],
};

interface Sa {
  readonly id: number;
  /** Of the client: out, in. */
  readonly spis: readonly [string, string];
  readonly packets: readonly [number, number];
}

function sa({ id, spis, packets }: Sa): ChildSa {
  const [spiOut, spiIn] = spis;
  const [packetsOut, packetsIn] = packets;
  const none = { reqid: 1, localTs: [], remoteTs: [], bytesIn: 0, bytesOut: 0, installedSeconds: 1 };
  return { ...none, name: 'x', uniqueId: id, state: 'INSTALLED', spiIn, spiOut, packetsIn, packetsOut };
}

function truth(sas: readonly Sa[], demand = 0): HostTruth {
  return {
    childOf: () => ({ state: sas.length > 0 ? 'sa' : 'trap', sas: sas.map(sa) }),
    holds: () => true,
    demand: () => demand,
  };
}

function judged(client: TwoLooks, server: TwoLooks): JudgedPair[] {
  const looks = new Map([
    [hostName('worker-0'), client],
    [hostName('controller-0'), server],
  ]);
  return judgeService({
    facts: FACTS,
    service: 'kube-system/kube-dns',
    looks,
    seconds: 5,
    probedFrom: undefined,
  });
}

const quiet = (look: HostTruth): TwoLooks => ({ first: look, second: look });

describe('judgeService', () => {
  it('has one way for each client host, endpoint and port of that service, whatever the number of prefixes', () => {
    const pairs = judged(quiet(truth([])), quiet(truth([])));
    expect(
      pairs.map(({ client, endpoint: to, port, verdict }) => `${client} ${to} ${port} ${verdict}`),
    ).to.deep.equal(['worker-0 172.16.192.115 udp/53 PROTECTED']);
  });

  it('counts what one and the same SA carried at both ends, the smaller of both', () => {
    const client = {
      first: truth([{ id: 1, spis: ['a', 'b'], packets: [10, 10] }]),
      second: truth([{ id: 1, spis: ['a', 'b'], packets: [15, 14] }]),
    };
    const server = {
      first: truth([{ id: 7, spis: ['b', 'a'], packets: [10, 10] }]),
      second: truth([{ id: 7, spis: ['b', 'a'], packets: [13, 14] }]),
    };
    const [pair] = judged(client, server);
    expect([pair?.verdict, pair?.there, pair?.back]).to.deep.equal(['PROTECTED', 4, 3]);
  });

  it('counts nothing of SAs that are not each other’s', () => {
    const client = {
      first: truth([{ id: 1, spis: ['a', 'b'], packets: [0, 0] }]),
      second: truth([{ id: 1, spis: ['a', 'b'], packets: [9, 9] }], 9),
    };
    const server = {
      first: truth([{ id: 7, spis: ['x', 'y'], packets: [0, 0] }]),
      second: truth([{ id: 7, spis: ['x', 'y'], packets: [9, 9] }]),
    };
    const [pair] = judged(client, server);
    expect([pair?.verdict, pair?.there]).to.deep.equal(['HELD', 0]);
  });

  it('takes an SA that is new in the second look from 0: a rekeying is no loss', () => {
    const client = { first: truth([]), second: truth([{ id: 2, spis: ['a', 'b'], packets: [3, 3] }]) };
    const server = { first: truth([]), second: truth([{ id: 8, spis: ['b', 'a'], packets: [3, 3] }]) };
    expect(judged(client, server)[0]?.there).to.be.above(0);
  });

  it('says each reason once', () => {
    const pairs = judged(quiet(truth([])), quiet(truth([])));
    const twice = [...pairs, ...pairs.map((pair) => ({ ...pair, port: 'tcp/53' }))];
    const result = {
      service: 'a/b',
      verdict: 'PROTECTED',
      stages: ['udp/53 enforce'],
      pairs: twice,
      seconds: 5,
      findings: [],
    } as const;
    expect(verifyText(result, painter(false))).to.equal(
      [
        'a/b (udp/53 enforce): PROTECTED on 2 of 2 ways between hosts; traffic in tunnels on 0 of them in 5 s',
        '',
        'VERDICT    CLIENTS ON  ENDPOINT        ON            PORT    CLIENT END  ENDPOINT END  GUARD HOLDS  PACKETS',
        'PROTECTED  worker-0    172.16.192.115  controller-0  udp/53  trap        trap          both         none seen',
        'PROTECTED  worker-0    172.16.192.115  controller-0  tcp/53  trap        trap          both         none seen',
        '',
        '  PROTECTED worker-0 to 172.16.192.115 udp/53, worker-0 to 172.16.192.115 tcp/53: No traffic seen in 5 s; both ends are ready and both guards hold.',
        '',
      ].join('\n'),
    );
  });
});

describe('probeScript', () => {
  it('holds addresses and numbers alone, and no sctp', () => {
    const targets = [
      { address: address('172.16.192.115'), protocol: 'udp', port: 53 },
      { address: address('fd00::1'), protocol: 'tcp', port: 80 },
      { address: address('172.16.192.115'), protocol: 'sctp', port: 9 },
    ] as const;
    expect(probeScript(targets).split('\n').slice(-4)).to.deep.equal([
      'udp 172.16.192.115 53',
      'tcp fd00::1 80',
      'wait',
      'exit 0',
    ]);
  });
});
