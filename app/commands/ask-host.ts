// Asks hosts what they have: runs `inspect` in the pod of each host's agent, by the API server and with the caller's own rights
// (docs/decisions/0010-verify-by-exec.md). What they answer: evidence.ts.
import { podOf } from '../domain/host-standing.ts';
import type { AgentView } from '../domain/cluster-view.ts';
import { ApiError } from '../kubernetes/api-error.ts';
import type { Client } from '../kubernetes/client.ts';
import { execInPod } from '../kubernetes/exec.ts';
import { oneLine } from './table.ts';
import { parseEvidence, type Answer, type Evidence } from './evidence.ts';

export interface AskOptions {
  readonly client: Client;
  readonly namespace: string;
  readonly agents: readonly AgentView[];
  /** Called before each answer, with how many have come. */
  readonly onProgress: (answered: number, hosts: number) => void;
}

/** As the packaged image has them (scripts/package-image). */
const INSPECT = ['/usr/bin/node', '/opt/ipsec-policy-operator/ipsec-policy-operator.mjs', 'inspect'];

const AT_ONCE = 10;
const TIMEOUT_MS = 45_000;

/** By host, each answer or why there is none. */
export async function askHosts<Host extends string>(
  hosts: readonly Host[],
  options: AskOptions,
): Promise<Map<Host, Answer<Evidence>>> {
  const answers = new Map<Host, Answer<Evidence>>();
  const waiting = [...hosts];
  const work = async (): Promise<void> => {
    for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) {
      options.onProgress(answers.size, hosts.length);
      answers.set(host, await askHost(host, options));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return answers;
}

async function askHost(host: string, { client, namespace, agents }: AskOptions): Promise<Answer<Evidence>> {
  const pod = podOf(host, agents)?.pod;
  if (pod === undefined) return { failed: 'no pod of the agent runs there' };
  try {
    const options = { namespace, pod, container: 'agent', command: INSPECT, timeoutMs: TIMEOUT_MS };
    const { stdout, stderr, failure } = await execInPod(client, options);
    const evidence = parseEvidence(stdout);
    if (evidence !== undefined) return { said: evidence };
    return { failed: oneLine(`inspect in ${pod}: ${failure ?? 'no evidence'} ${stderr.slice(-300)}`) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { failed: error.status === 403 ? NO_RIGHT : oneLine(error.message) };
  }
}

const NO_RIGHT = 'no right to exec into the pods of agents (get and create of pods/exec)';
