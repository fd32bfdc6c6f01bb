// The agent's connection to charon: made when needed, forgotten when charon closes it, so that a restarted charon is met
// with an empty memory of what it has. Every connection is one session; what was sent over an older one counts for nothing.
import type { ConnectionName } from '../domain/host-config.ts';
import { connectCharon, type Charon } from '../vici/charon.ts';
import type { Tree } from '../swanctl/tree.ts';

export interface CharonSession {
  readonly charon: Charon;
  readonly version: string;
  /** What this session has loaded, by connection: `sent` of diff.ts. */
  readonly sent: Map<ConnectionName, string>;
}

export interface CharonLinkOptions {
  readonly path: string;
  readonly timeoutMs: number;
  /** An IKE_SA or CHILD_SA came or went, or charon is gone: time to look again. */
  readonly onEvent: (name: string, tree: Tree) => void;
  readonly onLost: (error: Error | undefined) => void;
}

export interface CharonLink {
  /** The present session, or a new one. Throws ViciClosedError when nobody listens. */
  session(): Promise<CharonSession>;
  close(): void;
}

const EVENTS = ['ike-updown', 'child-updown'] as const;

export function charonLink(options: CharonLinkOptions): CharonLink {
  let current: CharonSession | undefined;
  let closing = false;

  const open = async (): Promise<CharonSession> => {
    const charon = await connectCharon({ path: options.path, timeoutMs: options.timeoutMs });
    void charon.closed.then((error) => {
      if (current?.charon === charon) current = undefined;
      if (!closing) options.onLost(error);
    });
    try {
      await charon.onEvent(EVENTS, options.onEvent);
      const { version } = await charon.version();
      return { charon, version, sent: new Map() };
    } catch (error) {
      charon.close();
      throw error;
    }
  };

  return {
    session: async () => (current ??= await open()),
    close: () => {
      closing = true;
      current?.charon.close();
    },
  };
}
