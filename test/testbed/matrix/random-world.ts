// Policies and pods that come, change, move and go at random, one after another without waiting, and what follows from them. The
// same seed gives the same changes. What must stand because of it: expected.ts.
import { HOST_NAMES, HOSTS } from '../lab/topology.ts';
import type { Endpoint, Expected } from './expected.ts';
import { policyRow, SERVERS, type Ground } from './ground.ts';
import { pause } from './row.ts';

export interface World {
  /** One change, and a moment's pause. */
  change(): Promise<void>;
  /** Names of those that are there. */
  policies(): readonly string[];
  expected(): Expected;
}

const SERVICES = ['first', 'second'] as const;
const PORTS = ['udp/6001', 'udp/6002', 'tcp/6003'];
const MOVING = ['a', 'b', 'c', 'd'] as const;

/** Begins with the policy `base` for udp/6001 of the first service, and the servers of both. */
export function startWorld({ lab, op }: Ground, seed: number): World {
  const random = mulberry32(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const policies = new Map<string, Map<string, Set<string>>>([
    ['base', new Map([['first', new Set(['udp/6001'])]])],
  ]);
  const pods = new Map<string, Endpoint[]>(
    SERVICES.map((service) => {
      const { host, addresses } = SERVERS[service];
      return [
        `default/${service}`,
        [4, 6].map((family) => ({ service, host, address: addresses[family as 4 | 6] })),
      ];
    }),
  );

  const writePolicy = async (name: string): Promise<void> => {
    const rows = [...(policies.get(name) ?? [])].map(([service, ports]) =>
      policyRow(service, [...ports].sort().join(',')),
    );
    if (rows.length > 0) return op.applyPolicy(name, rows);
    policies.delete(name);
    await op.deletePolicy(name).catch(() => undefined);
  };
  const togglePort = async (): Promise<void> => {
    const [name, service, port] = [pick(['p', 'q']), pick(SERVICES), pick(PORTS)];
    const rows = policies.get(name) ?? new Map<string, Set<string>>();
    policies.set(name, rows);
    const ports = rows.get(service) ?? new Set();
    if (!ports.delete(port)) ports.add(port);
    if (ports.size > 0) rows.set(service, ports);
    else rows.delete(service);
    await writePolicy(name);
  };
  const dropPolicy = async (): Promise<void> => {
    const name = pick(['p', 'q']);
    policies.set(name, new Map());
    await writePolicy(name);
  };
  const movePod = async (): Promise<void> => {
    const name = pick(MOVING);
    const key = `default/${name}` as const;
    if (pods.has(key)) await lab.removePod(key);
    const isGone = pods.delete(key) && random() < 0.4;
    if (isGone) return;
    const [service, host] = [pick(SERVICES), pick(HOST_NAMES)];
    const last = 30 + MOVING.indexOf(name);
    const address = HOSTS[host].blocks[0].replace(/(\d+)\/26$/, (_, first: string) =>
      String(Number(first) + last),
    );
    await lab.addPod({ host, name, addresses: [address], labels: { app: service } });
    pods.set(key, [{ service, host, address }]);
  };

  return {
    change: async () => {
      const dice = random();
      await (dice < 0.5 ? togglePort() : dice < 0.6 ? dropPolicy() : movePod());
      await pause(random() * 600);
    },
    policies: () => [...policies.keys()],
    expected: () => ({
      endpoints: [...pods.values()].flat(),
      ports: Object.fromEntries(
        SERVICES.map((service) => [
          service,
          [...new Set([...policies.values()].flatMap((rows) => [...(rows.get(service) ?? [])]))].sort(),
        ]),
      ),
    }),
  };
}

/** A small generator whose sequence depends on its seed alone. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
