import { expect } from 'chai';
import { unansweredOf, type UnansweredMemory } from '../../../app/agent/unanswered.ts';
import { childKey } from '../../../app/swanctl/loaded.ts';
import { config, DNS_EGRESS, DNS_INGRESS, peer } from '../../support/host-configs.ts';
import { childSa, ikeSa, loaded } from '../../support/loaded-builders.ts';

const CONNECTION = peer('controller-1', [DNS_EGRESS, DNS_INGRESS]);
const DESIRED = config(CONNECTION);
const ENDPOINT = '172.16.166.178 udp/53';
const EGRESS = childKey(CONNECTION.name, DNS_EGRESS.name);

interface Look {
  readonly atMs: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  /** The guard's count grew. */
  readonly asked?: boolean;
  readonly uniqueId?: number;
  readonly state?: string;
  readonly twice?: boolean;
}

/** Gives the times at which a rekeying is asked for. */
function rekeyings(looks: readonly Look[], name: string = DNS_EGRESS.name): number[] {
  let memory: UnansweredMemory = new Map();
  return looks.flatMap(
    ({ atMs, uniqueId = 7, state = 'INSTALLED', asked = false, twice = false, ...counts }) => {
      const sa = {
        ...childSa(name, uniqueId, '172.16.192.64/26[udp]', '172.16.166.178/32[udp/53]'),
        ...counts,
        state,
      };
      const children = twice ? [{ ...sa, uniqueId: uniqueId - 1, packetsIn: 1000 }, sa] : [sa];
      const grewMs = asked ? atMs : undefined;
      const result = unansweredOf({
        desired: DESIRED,
        loaded: loaded(DESIRED, ikeSa(CONNECTION.name, 1, { children })),
        demand: {
          endpoints: new Map([[ENDPOINT, { packets: 1, ...(grewMs !== undefined && { grewMs }) }]]),
          lacking: new Map(),
        },
        nowMs: atMs,
        before: memory,
      });
      ({ memory } = result);
      return result.steps.map((step) => {
        expect(step).to.deep.include({ kind: 'rekey-child', child: name, uniqueId });
        return atMs;
      });
    },
  );
}

describe('unansweredOf', () => {
  const seconds = [0, 1000, 2000, 3000, 4000];

  it('leaves a flow alone that is answered', () => {
    const looks = seconds.map((atMs) => ({ atMs, packetsIn: atMs + 1, packetsOut: atMs + 1, asked: true }));
    expect(rekeyings(looks)).to.deep.equal([]);
  });

  it('leaves a flow alone that nobody uses', () => {
    expect(rekeyings(seconds.map((atMs) => ({ atMs, packetsIn: 5, packetsOut: 5 })))).to.deep.equal([]);
  });

  it('rekeys what sends for a second and receives nothing: the peer has lost its state', () => {
    const looks = seconds.map((atMs) => ({ atMs, packetsIn: 5, packetsOut: 5 + atMs }));
    expect(rekeyings(looks)).to.deep.equal([2000]);
  });

  it('rekeys what is asked for and sends nothing: the policy of this host is gone', () => {
    const looks = seconds.map((atMs) => ({ atMs, packetsIn: 5, packetsOut: 5, asked: true }));
    expect(rekeyings(looks)).to.deep.equal([2000]);
  });

  it('waits a second after the look in which it was asked for and answered, however many looks there are', () => {
    const looks = [0, 20, 40, 1019, 1020].map((atMs) => ({
      atMs,
      packetsIn: atMs === 0 ? 5 : 6,
      packetsOut: 5 + atMs,
    }));
    expect(rekeyings(looks)).to.deep.equal([1020]);
  });

  it('waits a second from the look that finds it asked for after a rest', () => {
    const looks = [0, 60_000, 60_900, 61_000].map((atMs) => ({
      atMs,
      packetsIn: 5,
      packetsOut: atMs === 0 ? 5 : 5 + atMs,
    }));
    const rested = [{ atMs: 30_000, packetsIn: 5, packetsOut: 5 }];
    expect(rekeyings([...looks.slice(0, 1), ...rested, ...looks.slice(1)])).to.deep.equal([61_000]);
  });

  it('takes what the guard counted before the last answers came for no call in vain', () => {
    const ended = [0, 1000, 2000, 3000].map((atMs) => ({
      atMs,
      packetsIn: Math.min(atMs, 1000) + 5,
      packetsOut: Math.min(atMs, 1000) + 5,
      asked: atMs <= 2000,
    }));
    expect(rekeyings(ended)).to.deep.equal([]);
    expect(rekeyings([...ended.slice(0, 3), { ...ended[2]!, atMs: 2200 }])).to.deep.equal([2200]);
  });

  it('waits 10, 20, 40 seconds and so on, an hour at most, when that is no cure', () => {
    const looks = Array.from({ length: 8 * 3600 }, (_, i) => ({
      atMs: i * 1000,
      packetsIn: 5,
      packetsOut: 5 + i,
    }));
    const times = rekeyings(looks);
    const pauses = times.slice(1).map((ms, i) => (ms - (times[i] ?? 0)) / 1000);
    expect(pauses.slice(0, 4)).to.deep.equal([10, 20, 40, 80]);
    expect(Math.max(...pauses)).to.equal(3600);
  });

  it('begins anew after an answer', () => {
    const looks = [...seconds, 5000, 6000, 7000, 8000].map((atMs) => ({
      atMs,
      packetsIn: atMs < 5000 ? 5 : 6,
      packetsOut: 5 + atMs,
    }));
    expect(rekeyings(looks)).to.deep.equal([2000, 6000]);
  });

  it('counts time without anyone asking for nothing', () => {
    const looks = [0, 1000, 60_000, 120_000].map((atMs) => ({
      atMs,
      packetsIn: 5,
      packetsOut: atMs === 1000 ? 6 : atMs === 120_000 ? 7 : 5,
    }));
    expect(rekeyings(looks)).to.deep.equal([]);
  });

  it('leaves alone what is being rekeyed, and ingress', () => {
    const looks = seconds.map((atMs) => ({ atMs, packetsIn: 5, packetsOut: 5 + atMs }));
    expect(rekeyings(looks.map((look) => ({ ...look, state: 'REKEYING' })))).to.deep.equal([]);
    expect(rekeyings(looks, DNS_INGRESS.name)).to.deep.equal([]);
  });

  it('keeps its pauses through the replacement that it asked for', () => {
    // As charon shows it: the old SA beside the new one for some seconds.
    const looks = Array.from({ length: 40 }, (_, second) => ({
      atMs: second * 1000,
      packetsIn: 0,
      packetsOut: 1 + second,
      uniqueId: second < 3 ? 7 : second < 18 ? 8 : 9,
      state: [3, 4, 5, 6, 7, 13, 14, 15, 16, 17].includes(second) ? 'REKEYED' : 'INSTALLED',
    }));
    expect(rekeyings(looks, DNS_EGRESS.name)).to.deep.equal([1000, 11_000, 31_000]);
  });

  it('takes two SAs of a child for one: the newest is rekeyed', () => {
    const looks = seconds.map((atMs) => ({ atMs, packetsIn: 5, packetsOut: 5 + atMs, twice: true }));
    expect(rekeyings(looks)).to.deep.equal([2000]);
  });

  it('says when to look again', () => {
    const sa = { ...childSa(DNS_EGRESS.name, 7, '', ''), packetsOut: 9 };
    const { againMs } = unansweredOf({
      desired: DESIRED,
      loaded: loaded(DESIRED, ikeSa(CONNECTION.name, 1, { children: [sa] })),
      demand: { endpoints: new Map(), lacking: new Map() },
      nowMs: 500,
      before: new Map([
        [
          EGRESS,
          {
            uniqueId: 7,
            packetsIn: 0,
            packetsOut: 1,
            sinceMs: 100,
            isWaiting: true,
            tries: 0,
            notBeforeMs: 0,
          },
        ],
      ]),
    });
    expect(againMs).to.equal(600);
  });
});
