// Runs a command in a pod, through the API server and with the caller's own rights (`pods/exec`): what kubectl exec does, without
// input. Protocol v4.channel.k8s.io (k8s.io/kubelet, remotecommand): each message is a channel and its bytes; the kubelets of all
// releases speak it.
import { ApiError } from './api-error.ts';
import type { Client } from './client.ts';
import { objectPath, PODS } from './resources.ts';

export interface ExecOptions {
  readonly namespace: string;
  readonly pod: string;
  readonly container?: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

export interface Executed {
  readonly stdout: string;
  readonly stderr: string;
  /** Absent when the command ended with 0; else what the kubelet says, `command terminated with exit code 1`. */
  readonly failure?: string;
}

const PROTOCOL = 'v4.channel.k8s.io';
const CHANNELS = { stdout: 1, stderr: 2, status: 3 } as const;

/** Throws ApiError when it could not be run at all, or not within the time. */
export async function execInPod(client: Client, options: ExecOptions): Promise<Executed> {
  const { namespace, pod, container, command } = options;
  const path = `${objectPath(PODS, pod, namespace)}/exec`;
  const query = new URLSearchParams([
    ...command.map((word): [string, string] => ['command', word]),
    ['stdout', 'true'],
    ['stderr', 'true'],
    ...(container === undefined ? [] : ([['container', container]] as [string, string][])),
  ]);
  const chunks = new Map<number, Buffer[]>();
  const socket = await client.webSocket(path, query, PROTOCOL);
  socket.binaryType = 'arraybuffer';
  const seen = { open: false };
  const ended = new Promise<'closed' | 'failed' | 'late'>((resolve) => {
    const timer = setTimeout(() => resolve('late'), options.timeoutMs);
    const end = (how: 'closed' | 'failed'): void => {
      clearTimeout(timer);
      resolve(how);
    };
    socket.addEventListener('open', () => (seen.open = true));
    socket.addEventListener('close', () => end('closed'));
    socket.addEventListener('error', () => end('failed'));
    socket.addEventListener('message', ({ data }) => {
      const [channel, bytes] = read(data);
      chunks.set(channel, [...(chunks.get(channel) ?? []), bytes]);
    });
  });
  const how = await ended;
  if (!seen.open) throw await whyNotOpened(client, path, how);
  if (how === 'late') {
    socket.close();
    throw noAnswer(path, `no end within ${options.timeoutMs} ms`);
  }
  const text = (channel: number): string => Buffer.concat(chunks.get(channel) ?? []).toString();
  const failure = failureOf(text(CHANNELS.status));
  return {
    stdout: text(CHANNELS.stdout),
    stderr: text(CHANNELS.stderr),
    ...(failure === undefined ? {} : { failure }),
  };
}

function read(data: unknown): readonly [number, Buffer] {
  const bytes = data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(String(data));
  return [bytes[0] ?? 0, bytes.subarray(1)];
}

/** `metav1.Status`; Success has no message. Nothing at all: it was cut off. */
function failureOf(text: string): string | undefined {
  if (text === '') return 'the connection ended before the command did';
  const status = JSON.parse(text) as { readonly status?: string; readonly message?: string };
  return status.status === 'Success' ? undefined : (status.message ?? 'failed');
}

/** A failed handshake says nothing; the same request without one says what is in the way. */
async function whyNotOpened(client: Client, path: string, how: string): Promise<ApiError> {
  if (how === 'late') return noAnswer(path, 'the pod’s host does not answer');
  try {
    await client.text(path, { command: 'true', stdout: 'true' });
    return noAnswer(path, 'the connection could not be made a stream');
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // Without a handshake this is the best that it can say.
    return error.status === 400 ? noAnswer(path, 'the kubelet of the pod’s host does not answer') : error;
  }
}

function noAnswer(path: string, why: string): ApiError {
  return new ApiError({ status: 0, reason: 'NoAnswer', message: `exec ${path}: ${why}` });
}
