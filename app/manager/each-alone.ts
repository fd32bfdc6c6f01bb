// Many writes, of which one that is refused for its own sake stops none of the others. What stops all: no answer, no
// permission to speak, or a leader that leads no more.
import { ApiError } from '../kubernetes/api-error.ts';

/** A few at a time. Gives the refusals, in order; throws what concerns more than one object once those under way have ended. */
export async function eachAlone(
  tasks: readonly (() => Promise<unknown>)[],
  atOnce: number,
): Promise<ApiError[]> {
  const refusals: ApiError[] = [];
  for (let start = 0; start < tasks.length; start += atOnce) {
    const results = await Promise.allSettled(
      tasks.slice(start, start + atOnce).map(async (task) => refusalOf(task)),
    );
    for (const result of results) {
      if (result.status === 'rejected') throw result.reason;
      if (result.value !== undefined) refusals.push(result.value);
    }
  }
  return refusals;
}

/** Wrong, not allowed, not there, too large, or changed meanwhile. */
const OF_ONE_OBJECT: ReadonlySet<number> = new Set([400, 403, 404, 409, 413, 422]);

async function refusalOf(task: () => Promise<unknown>): Promise<ApiError | undefined> {
  try {
    await task();
    return undefined;
  } catch (error) {
    if (error instanceof ApiError && OF_ONE_OBJECT.has(error.status)) return error;
    throw error;
  }
}
