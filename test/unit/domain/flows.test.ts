import { expect } from 'chai';
import { compareFlows, flowEnd, flowKey, mirror, type Flow } from '../../../app/domain/flows.ts';
import { address, hostName, port, prefix } from '../../support/facts-builders.ts';

function flow(changes: Partial<Flow> = {}): Flow {
  return {
    client: hostName('worker-0'),
    clientPrefix: prefix('172.16.43.0/26'),
    host: hostName('controller-0'),
    endpoint: address('172.16.192.115'),
    ...port('udp/53'),
    ...changes,
  };
}

describe('flowEnd', () => {
  it('puts the client prefix on the local side of the client, without a port', () => {
    expect(flowEnd(flow(), 'egress')).to.deep.equal({
      direction: 'egress',
      localTs: { prefix: '172.16.43.0/26', protocol: 'udp' },
      remoteTs: { prefix: '172.16.192.115/32', protocol: 'udp', port: 53 },
    });
  });

  it('gives the endpoint’s host the mirror of what it gives the client', () => {
    expect(flowEnd(flow(), 'ingress')).to.deep.equal(mirror(flowEnd(flow(), 'egress')));
  });

  it('writes an IPv6 endpoint as /128', () => {
    expect(flowEnd(flow({ endpoint: address('fd00::7') }), 'egress').remoteTs.prefix).to.equal('fd00::7/128');
  });
});

describe('mirror', () => {
  it('is its own inverse and keeps all else', () => {
    const child = { ...flowEnd(flow(), 'egress'), priority: 100012 };
    expect(mirror(child)).to.include({ direction: 'ingress', priority: 100012 });
    expect(mirror(mirror(child))).to.deep.equal(child);
  });
});

describe('flowKey', () => {
  it('differs when anything of the flow differs', () => {
    const flows = [
      flow(),
      flow({ client: hostName('worker-1') }),
      flow({ clientPrefix: prefix('172.16.43.64/26') }),
      flow({ host: hostName('controller-1') }),
      flow({ endpoint: address('172.16.192.116') }),
      flow({ port: 54 }),
      flow({ protocol: 'tcp' }),
    ];
    expect(new Set(flows.map(flowKey)).size).to.equal(flows.length);
    for (const [i, a] of flows.entries())
      for (const [j, b] of flows.entries()) expect(compareFlows(a, b) === 0).to.equal(i === j);
  });
});
