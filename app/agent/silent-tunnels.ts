// Over which tunnels does nothing come back? They stand, and what is sent into them has no answer although they were made anew
// (unanswered.ts): the network drops ESP, or nobody answers at the other end. Said, but no obstacle to a policy that is in force:
// nothing leaves in plaintext, and a service that never answers looks the same from here.
import type { HostPlan } from '../domain/host-config.ts';
import type { Problem } from '../domain/problem.ts';
import { wholeSeconds } from '../runtime/clock.ts';
import { childKey, type Loaded } from '../swanctl/loaded.ts';
import type { UnansweredMemory } from './unanswered.ts';

/** Made anew twice, ten seconds apart. */
const TRIES = 2;

export interface SilentInput {
  readonly plan: Pick<HostPlan, 'host' | 'connections'>;
  readonly loaded: Loaded;
  readonly unanswered: UnansweredMemory;
  /** Wall clock in milliseconds. */
  readonly nowMs: number;
  readonly before: SilentMemory;
}

export interface SilentMemory {
  /** By childKey: since when nothing comes back, wall clock. */
  readonly since: ReadonlyMap<string, number>;
  /** By connection: when a packet last came out of any of its tunnels. */
  readonly heard: ReadonlyMap<string, number>;
  /** By unique id of the CHILD_SA. */
  readonly packetsIn: ReadonlyMap<number, number>;
}

export const NOTHING_SILENT: SilentMemory = { since: new Map(), heard: new Map(), packetsIn: new Map() };

export interface Silent {
  readonly problems: readonly Problem[];
  readonly memory: SilentMemory;
}

export function silentTunnels(input: SilentInput): Silent {
  const { plan, loaded, unanswered, nowMs, before } = input;
  const since = new Map(
    [...unanswered].flatMap(([key, { tries }]) =>
      tries === 0 ? [] : [[key, before.since.get(key) ?? nowMs] as const],
    ),
  );
  const heard = new Map(before.heard);
  const packetsIn = new Map<number, number>();
  for (const { connection, children } of loaded.ikeSas)
    for (const sa of children) {
      packetsIn.set(sa.uniqueId, sa.packetsIn);
      if (sa.packetsIn > (before.packetsIn.get(sa.uniqueId) ?? 0)) heard.set(connection, nowMs);
    }
  // Nearly always none: looked for once, since there may be thousands of connections and of tunnels in use.
  const inVain = [...unanswered].filter(([, { tries }]) => tries >= TRIES).map(([key]) => key);
  const problems = plan.connections.flatMap((connection): Problem[] => {
    if (connection.kind !== 'peer') return [];
    const heardMs = heard.get(connection.name) ?? -Infinity;
    const start = childKey(connection.name, '');
    const silent = inVain.filter((key) => key.startsWith(start) && (since.get(key) ?? 0) > heardMs);
    const sinceMs = Math.min(...silent.map((key) => since.get(key) ?? nowMs));
    return silent.length === 0
      ? []
      : [
          {
            reason: 'TunnelSilent',
            subject: connection.peer,
            message: words(input, connection.peer, sinceMs),
          },
        ];
  });
  return { problems, memory: { since, heard, packetsIn } };
}

/** Without names of children: which of them is in use changes all the time. */
function words({ plan }: SilentInput, peer: string, sinceMs: number): string {
  return `Packets go into the tunnel from ${plan.host} to ${peer} and none has come back since ${wholeSeconds(sinceMs)}, though it was made anew. Check that the network and the firewalls of both hosts let ESP (IP protocol 50) pass between their cluster-host addresses, and that the endpoints on ${peer} answer.`;
}
