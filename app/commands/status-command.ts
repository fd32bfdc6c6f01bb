// `status`: the cluster at a glance, from the API alone. Reads, judges (domain/cluster-status.ts), prints; changes nothing.
import { dump } from 'js-yaml';
import { clusterStatus, unknownName, type ClusterStatus } from '../domain/cluster-status.ts';
import { COMMON_OPTIONS, oneOf, readArguments, type Expected } from './arguments.ts';
import { EXIT_CODES, UsageError } from './command-errors.ts';
import { readCluster } from './read-cluster.ts';
import { statusData, statusText } from './status-text.ts';
import { clientOf, namespaceOf, paintOf, progressOf, type Surroundings } from './surroundings.ts';

const FORMATS = ['text', 'wide', 'json', 'yaml'] as const;

const EXPECTED: Expected = {
  options: {
    ...COMMON_OPTIONS,
    host: { value: 'NAME' },
    policy: { value: 'NAME' },
    output: { value: FORMATS.join('|'), short: 'o' },
  },
  words: [],
  usage:
    'status [--policy NAME] [--host NAME] [-o wide|json|yaml] [--kubeconfig FILE] [--namespace NAMESPACE]',
};

/** Gives the exit code. Throws UsageError, CannotTellError. */
export async function runStatus(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const args = readArguments(words, EXPECTED);
  const format = oneOf('output', args.value('output') ?? 'text', FORMATS);
  const [policy, host] = [args.value('policy'), args.value('host')];
  const only = { ...(policy === undefined ? {} : { policy }), ...(host === undefined ? {} : { host }) };
  const client = clientOf(args, surroundings);
  const progress = progressOf(surroundings);
  try {
    progress.step('reading the cluster');
    const nowMs = surroundings.clock.now();
    const view = await readCluster({ client, namespace: namespaceOf(args, surroundings), nowMs });
    progress.end();
    const strange = unknownName(view, only);
    if (strange !== undefined) throw new UsageError(strange);
    const status = clusterStatus(view, only);
    surroundings.stdout.write(printed(status, format, { nowMs, surroundings }));
    return EXIT_CODES[status.verdict];
  } finally {
    progress.end();
    await client.close();
  }
}

function printed(
  status: ClusterStatus,
  format: (typeof FORMATS)[number],
  { nowMs, surroundings }: { readonly nowMs: number; readonly surroundings: Surroundings },
): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(statusData(status), undefined, 2)}\n`;
    case 'yaml':
      return dump(statusData(status), { lineWidth: -1, noRefs: true });
    case 'text':
    case 'wide':
      return statusText(status, { nowMs, paint: paintOf(surroundings), isWide: format === 'wide' });
  }
}
