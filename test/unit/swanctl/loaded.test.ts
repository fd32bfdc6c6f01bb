import { expect } from 'chai';
import { readLoaded } from '../../../app/swanctl/loaded.ts';

// As a charon 5.9.8 answers (vici_query.c), shortened by what nobody reads.
const CONNECTION = {
  'k8s-node-controller-1': {
    local_addrs: ['192.168.206.2'],
    remote_addrs: ['192.168.206.3'],
    version: 'IKEv2',
    reauth_time: '14400',
    rekey_time: '3600',
    unique: 'UNIQUE_NEVER',
    'local-1': { id: 'CN=ipsec-controller-0', class: 'public key', groups: [], certs: [], cacerts: [] },
    'remote-1': { id: 'CN=ipsec-controller-1', class: 'public key', groups: [], certs: [], cacerts: [] },
    children: {
      'udp_kube-dns_egress': {
        mode: 'TUNNEL',
        rekey_time: '3600',
        'local-ts': ['172.16.192.64/26[udp]'],
        'remote-ts': ['172.16.166.178/32[udp/domain]'],
      },
    },
  },
};
const SA = {
  'k8s-node-controller-1': {
    uniqueid: '2740',
    version: '2',
    state: 'ESTABLISHED',
    'local-host': '192.168.206.2',
    'remote-host': '192.168.206.3',
    'remote-id': 'CN=ipsec-controller-1',
    established: '34',
    'child-sas': {
      'udp_kube-dns_egress-232': {
        name: 'udp_kube-dns_egress',
        uniqueid: '232',
        reqid: '2',
        state: 'INSTALLED',
        mode: 'TUNNEL',
        protocol: 'ESP',
        'spi-in': 'c81f7511',
        'spi-out': 'ca8bfcd7',
        'bytes-in': '13558',
        'packets-in': '82',
        'bytes-out': '7500',
        'packets-out': '81',
        'install-time': '879',
        'local-ts': ['172.16.192.64/26[udp]'],
        'remote-ts': ['172.16.166.178/32[udp/domain]'],
      },
      'udp_kube-dns_egress-233': {
        name: 'udp_kube-dns_egress',
        uniqueid: '233',
        reqid: '2',
        state: 'CREATED',
      },
    },
  },
};
const CONNECTING = { 'system-nodes': { uniqueid: '1', version: '2', state: 'CONNECTING', 'child-sas': {} } };
const POLICIES = [
  {
    'k8s-node-controller-1/udp_kube-dns_egress': {
      child: 'udp_kube-dns_egress',
      ike: 'k8s-node-controller-1',
      mode: 'TUNNEL',
    },
  },
  {
    'k8s-node-local/udp_kube-dns_ingress': {
      child: 'udp_kube-dns_ingress',
      ike: 'k8s-node-local',
      mode: 'PASS',
    },
  },
];

describe('readLoaded', () => {
  const loaded = readLoaded({ connections: [CONNECTION], sas: [SA, CONNECTING], policies: POLICIES });

  it('reads connections with addresses and children', () => {
    expect(loaded.connections.get('k8s-node-controller-1')).to.deep.equal({
      localAddresses: ['192.168.206.2'],
      remoteAddresses: ['192.168.206.3'],
      children: new Map([
        [
          'udp_kube-dns_egress',
          { mode: 'TUNNEL', localTs: ['172.16.192.64/26[udp]'], remoteTs: ['172.16.166.178/32[udp/domain]'] },
        ],
      ]),
    });
  });

  it("reads SAs, the platform's too, with what they have", () => {
    expect(
      loaded.ikeSas.map(({ connection, uniqueId, establishedSeconds }) => [
        connection,
        uniqueId,
        establishedSeconds,
      ]),
    ).to.deep.equal([
      ['k8s-node-controller-1', 2740, 34],
      ['system-nodes', 1, undefined],
    ]);
    expect(loaded.ikeSas[0]?.children).to.deep.equal([
      {
        name: 'udp_kube-dns_egress',
        uniqueId: 232,
        reqid: 2,
        state: 'INSTALLED',
        localTs: ['172.16.192.64/26[udp]'],
        remoteTs: ['172.16.166.178/32[udp/domain]'],
        spiIn: 'c81f7511',
        spiOut: 'ca8bfcd7',
        bytesIn: 13558,
        bytesOut: 7500,
        packetsIn: 82,
        packetsOut: 81,
        installedSeconds: 879,
      },
      {
        name: 'udp_kube-dns_egress',
        uniqueId: 233,
        reqid: 2,
        state: 'CREATED',
        localTs: [],
        remoteTs: [],
        bytesIn: 0,
        bytesOut: 0,
        packetsIn: 0,
        packetsOut: 0,
        installedSeconds: 0,
      },
    ]);
  });

  it('reads trap and pass policies by connection and child', () => {
    expect([...loaded.traps]).to.deep.equal([
      'k8s-node-controller-1/udp_kube-dns_egress',
      'k8s-node-local/udp_kube-dns_ingress',
    ]);
  });

  it('throws where a step would need a number and there is none', () => {
    const broken = { 'k8s-node-x': { state: 'ESTABLISHED', uniqueid: 'x' } };
    expect(() => readLoaded({ connections: [], sas: [broken], policies: [] })).to.throw('uniqueid');
  });
});
