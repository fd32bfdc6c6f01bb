// The words behind a command, strictly: what is not known, too much or missing is a UsageError that says what there is.
import { parseArgs } from 'node:util';
import { UsageError } from './command-errors.ts';

export interface Expected {
  /** By long name; the value is what stands for it in a usage line, or undefined for a flag without a value. */
  readonly options: Readonly<Record<string, { readonly value?: string; readonly short?: string }>>;
  /** What stands for each argument, in order; all are needed. */
  readonly words: readonly string[];
  /** The usage line. */
  readonly usage: string;
}

export interface Arguments {
  readonly words: readonly string[];
  /** Of an option that takes a value. */
  readonly value: (name: string) => string | undefined;
  readonly has: (name: string) => boolean;
}

/** Options that every command of this room has. */
export const COMMON_OPTIONS = {
  kubeconfig: { value: 'FILE' },
  namespace: { value: 'NAMESPACE', short: 'n' },
} as const;

export function readArguments(args: readonly string[], expected: Expected): Arguments {
  const { options, words, usage } = expected;
  const { values, positionals } = parsed(args, expected);
  if (positionals.length > words.length)
    throw new UsageError(`"${positionals[words.length] ?? ''}" is one word too many: ${usage}`);
  if (positionals.length < words.length)
    throw new UsageError(`${words[positionals.length] ?? ''} is missing: ${usage}`);
  for (const [name, value] of Object.entries(values))
    if (value === '') throw new UsageError(`--${name} is empty: give ${options[name]?.value ?? 'nothing'}`);
  return {
    words: positionals,
    value: (name) => {
      const value = values[name];
      return typeof value === 'string' ? value : undefined;
    },
    has: (name) => values[name] === true,
  };
}

/** One of a few words. */
export function oneOf<Word extends string>(name: string, value: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === value);
  if (found === undefined) throw new UsageError(`--${name} ${value}: give one of ${words.join(', ')}`);
  return found;
}

type Parsed = ReturnType<typeof parseArgs>;

function parsed(args: readonly string[], { options, usage }: Expected): Parsed {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(options).map(([name, { value, short }]) => [
          name,
          {
            type: value === undefined ? ('boolean' as const) : ('string' as const),
            ...(short === undefined ? {} : { short }),
          },
        ]),
      ),
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const [sentence = ''] = error.message.split(/\.(?: |\n|$)/);
    throw new UsageError(`${sentence.replaceAll('\n', ' ')}: ${usage}`);
  }
}
