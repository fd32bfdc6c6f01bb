// The agent's connection to charon: made when needed, forgotten when charon closes it, so that a restarted charon is met
// with an empty memory of what it has. Every connection is one session; what was sent over an older one counts for nothing.
import type { ConnectionName } from '../domain/host-config.ts';
import type { Tree } from '../swanctl/tree.ts';
import { connectCharon, type Charon } from '../vici/charon.ts';
import { ViciClosedError } from '../vici/errors.ts';

export interface CharonSession {
  readonly charon: Charon;
  readonly version: string;
  /** What this session has loaded, by connection: `sent` of diff.ts. */
  readonly sent: Map<ConnectionName, string>;
}

export interface CharonLinkOptions {
  readonly path: string;
  readonly timeoutMs: number;
  /** An IKE_SA or CHILD_SA came or went: time to look again. */
  readonly onEvent: (name: string, tree: Tree) => void;
  /** A session that was in use is over. One that could not be opened is an error of `session()` alone. */
  readonly onLost: (error: Error | undefined) => void;
}

export interface CharonLink {
  /** The present session, or a new one; the same for all who ask meanwhile. Throws ViciClosedError when nobody listens. */
  session(): Promise<CharonSession>;
  close(): void;
}

const EVENTS = ['ike-updown', 'child-updown'] as const;

export function charonLink(options: CharonLinkOptions): CharonLink {
  let current: Promise<CharonSession> | undefined;
  let isClosed = false;

  const begin = (): Promise<CharonSession> => {
    const opening = open(options);
    const forget = (): void => {
      if (current === opening) current = undefined;
    };
    void opening.then(async ({ charon }) => {
      const error = await charon.closed;
      forget();
      if (!isClosed) options.onLost(error);
    }, forget);
    return opening;
  };

  return {
    session: async () => {
      if (isClosed) throw new ViciClosedError('the link to charon is closed');
      return (current ??= begin());
    },
    close: () => {
      isClosed = true;
      void current?.then(
        ({ charon }) => charon.close(),
        () => undefined,
      );
    },
  };
}

async function open({ path, timeoutMs, onEvent }: CharonLinkOptions): Promise<CharonSession> {
  const charon = await connectCharon({ path, timeoutMs });
  try {
    await charon.onEvent(EVENTS, onEvent);
    const { version } = await charon.version();
    return { charon, version, sent: new Map() };
  } catch (error) {
    charon.close();
    throw error;
  }
}
