// The agent's connection to charon: made when needed, forgotten when charon closes it, so that a restarted charon is met
// with an empty memory of what it has. Every connection is one session; what was sent over an older one counts for nothing.
import type { ConnectionName } from '../domain/host-config.ts';
import { sections, type Tree } from '../swanctl/tree.ts';
import { connectCharon, type Charon } from '../vici/charon.ts';
import type { SessionOptions } from '../vici/session.ts';
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
  /** An SA of a connection was replaced by a new one; nothing is to be done about it. */
  readonly onRekey?: (kind: 'ike' | 'child', connection: string) => void;
  readonly onCommand?: SessionOptions['onCommand'];
}

export interface CharonLink {
  /** The present session, or a new one; the same for all who ask meanwhile. Throws ViciClosedError when nobody listens. */
  session(): Promise<CharonSession>;
  close(): void;
}

const EVENTS = ['ike-updown', 'child-updown'] as const;
const REKEYS = ['ike-rekey', 'child-rekey'];

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

async function open(options: CharonLinkOptions): Promise<CharonSession> {
  const { path, timeoutMs, onEvent, onRekey, onCommand } = options;
  const charon = await connectCharon({ path, timeoutMs, ...(onCommand && { onCommand }) });
  try {
    await charon.onEvent(EVENTS, onEvent);
    if (onRekey !== undefined) await charon.onEvent(REKEYS, (name, tree) => told(name, tree, onRekey));
    const { version } = await charon.version();
    return { charon, version, sent: new Map() };
  } catch (error) {
    charon.close();
    throw error;
  }
}

/** The event's tree has one section, called like the connection. */
function told(event: string, tree: Tree, onRekey: NonNullable<CharonLinkOptions['onRekey']>): void {
  for (const [connection] of sections(tree)) onRekey(event === 'ike-rekey' ? 'ike' : 'child', connection);
}
