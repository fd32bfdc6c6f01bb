// Sends something to every endpoint and port of a service from a pod that the caller names, with whatever its image has. What it
// says does not matter: what counts is what went through the tunnels meanwhile.
import type { Client } from '../kubernetes/client.ts';
import { ApiError } from '../kubernetes/api-error.ts';
import { execInPod } from '../kubernetes/exec.ts';
import { PODS } from '../kubernetes/resources.ts';
import type { EndpointPort } from './host-truth.ts';
import { oneLine } from './table.ts';

export interface ProbeOptions {
  readonly client: Client;
  /** `namespace/name`. */
  readonly pod: { readonly namespace: string; readonly name: string };
  readonly targets: readonly EndpointPort[];
}

export type Probed = { readonly node: string } | { readonly failed: string };

const TIMEOUT_MS = 60_000;

/** Gives the pod's Node when all was sent, else why not. */
export async function probe({ client, pod, targets }: ProbeOptions): Promise<Probed> {
  const { namespace, name } = pod;
  try {
    const object = (await client.get(PODS, { namespace, name })) as PodPlace;
    const node = object.spec?.nodeName ?? '';
    if (object.spec?.hostNetwork === true)
      return { failed: `pod ${namespace}/${name} is in its host's network: what it sends is not protected` };
    if (node === '') return { failed: `pod ${namespace}/${name} runs nowhere yet` };
    const command = ['sh', '-c', probeScript(targets)];
    const { stderr, failure } = await execInPod(client, {
      namespace,
      pod: name,
      command,
      timeoutMs: TIMEOUT_MS,
    });
    return failure === undefined ? { node } : { failed: oneLine(`${failure} ${stderr.slice(-200)}`) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { failed: oneLine(error.message) };
  }
}

interface PodPlace {
  readonly spec?: { readonly nodeName?: string; readonly hostNetwork?: boolean };
}

/** Of parsed addresses and numbers alone. Ends with 9 when the image has nothing to send with. */
export function probeScript(targets: readonly EndpointPort[]): string {
  const lines = targets
    .filter(({ protocol }) => protocol !== 'sctp')
    .map(({ address, protocol, port }) => `${protocol} ${address} ${port}`);
  return [TOOLS, ...lines, 'wait', 'exit 0'].join('\n');
}

/** Twice each, a second apart: a first packet may make the tunnel. */
const TOOLS = `
has() { command -v "$1" >/dev/null 2>&1; }
if ! has nc && ! has bash && ! has python3; then echo "neither nc, bash nor python3" >&2; exit 9; fi
udp() { { for n in 1 2; do
  if has nc; then echo probe | nc -u -w 1 "$1" "$2"
  elif has bash; then bash -c "echo probe > /dev/udp/$1/$2"; sleep 1
  else python3 -c "import socket,time
s=socket.socket(socket.AF_INET6 if ':' in '$1' else socket.AF_INET,socket.SOCK_DGRAM)
s.sendto(b'probe',('$1',$2));time.sleep(1)"; fi
done; } >/dev/null 2>&1 </dev/null & }
tcp() { { for n in 1 2; do
  if has nc; then nc -w 2 "$1" "$2"
  elif has bash; then timeout 2 bash -c ": > /dev/tcp/$1/$2"; sleep 1
  else python3 -c "import socket,time
socket.create_connection(('$1',$2),2).close();time.sleep(1)"; fi
done; } >/dev/null 2>&1 </dev/null & }`.trim();
