// What does charon say while it negotiates a tunnel in vain? Its log lines come over a connection of their own, and only while
// something is asked for in vain: a charon in which all is well is not asked to send a line. What a line means: failure-words.ts.
import { failureOf, weight, type Failure } from '../swanctl/failure-words.ts';
import { text } from '../swanctl/tree.ts';
import { connectCharon, type Charon } from '../vici/charon.ts';

export interface CharonEar {
  /** Resolves when what is initiated next is heard; a charon that is away is not heard, which is no error. */
  listen(isWanted: boolean): Promise<void>;
  /** Why a connection fails, as was said last. */
  heard(connection: string): Failure | undefined;
  /** It has its tunnels again, or is not asked for any more. */
  forget(connection: string): void;
  close(): void;
}

/** Something else has begun when what was heard so long ago was not said again: attempts are at most a minute apart. */
const STALE_MS = 150_000;

export interface CharonEarOptions {
  readonly path: string;
  readonly timeoutMs: number;
  readonly clock: { monotonic(): number };
  /** Something was said for the first time: time to report it. */
  readonly onNews: () => void;
}

interface Heard {
  readonly failure: Failure;
  /** `uniqueid` of the IKE_SA that failed. */
  readonly attempt: string;
  readonly atMs: number;
}

export function charonEar({ path, timeoutMs, clock, onNews }: CharonEarOptions): CharonEar {
  const known = new Map<string, Heard>();
  let current: Promise<Charon | undefined> | undefined;

  const hear = (connection: string, attempt: string, failure: Failure): void => {
    const atMs = clock.monotonic();
    const last = known.get(connection);
    if (last !== undefined && !counts(last, { attempt, failure, atMs })) return;
    const isAsBefore = last?.failure.cause === failure.cause;
    known.set(connection, { attempt, atMs, failure: isAsBefore ? last.failure : failure });
    if (!isAsBefore) onNews();
  };

  const open = async (): Promise<Charon | undefined> => {
    try {
      const charon = await connectCharon({ path, timeoutMs });
      await charon.onEvent(['log'], (_, tree) => {
        const connection = text(tree, 'ikesa-name');
        const failure = failureOf(text(tree, 'msg') ?? '');
        if (connection !== undefined && failure !== undefined)
          hear(connection, text(tree, 'ikesa-uniqued') ?? '', failure);
      });
      return charon;
    } catch {
      // The session that steps are sent over says what is wrong with charon.
      return undefined;
    }
  };

  const close = (): void => {
    void current?.then((charon) => charon?.close());
    current = undefined;
  };

  return {
    listen: async (isWanted) => {
      if (!isWanted) {
        close();
        return;
      }
      current ??= open();
      const opening = current;
      const charon = await opening;
      const forget = (): void => {
        if (current === opening) current = undefined;
      };
      if (charon === undefined) forget();
      else void charon.closed.then(forget);
    },
    heard: (connection) => known.get(connection)?.failure,
    forget: (connection) => void known.delete(connection),
    close,
  };
}

/**
 * Within one attempt the first cause counts: charon goes on to earlier certificates of the peer that it remembers, and says what is
 * wrong with those. Of several attempts the last, unless it explains less: a peer may refuse, and fall silent.
 */
function counts(last: Heard, now: Heard): boolean {
  if (last.attempt === now.attempt) return weight(now.failure) > weight(last.failure);
  return weight(now.failure) >= weight(last.failure) || now.atMs - last.atMs > STALE_MS;
}
