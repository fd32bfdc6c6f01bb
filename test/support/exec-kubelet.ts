// The part of a kubelet that `exec` and logs need: a TLS port that the API server calls, which runs a command for a pod's container and sends
// back what it prints, as v4.channel.k8s.io. Which command, and where it runs, is the test's business.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { NODES } from '../../app/kubernetes/resources.ts';
import { makeCa, makeKeyPair } from './control-plane-pki.ts';
import type { TestCluster } from './test-cluster.ts';

export interface ExecRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
}

export interface ExecOutcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecKubelet {
  readonly port: number;
  /** What was asked, in order. */
  readonly asked: readonly ExecRequest[];
  stop(): Promise<void>;
}

const PROTOCOL = 'v4.channel.k8s.io';

/** Listens on 127.0.0.1, with a certificate of its own below `dir`; call `serveExec` for each Node that it stands for. */
export async function startExecKubelet(
  dir: string,
  run: (request: ExecRequest) => Promise<ExecOutcome>,
  logOf: (pod: string) => string = () => '',
): Promise<ExecKubelet> {
  mkdirSync(dir, { recursive: true });
  const pair = makeKeyPair(makeCa(dir, 'kubelet-ca'), 'kubelet', { commonName: 'kubelet' });
  const tls = { cert: readFileSync(pair.certFile), key: readFileSync(pair.keyFile) };
  const server = createServer(tls, ({ url = '' }, response) => {
    const [, , , pod = ''] = url.split('/');
    response.end(url.startsWith('/containerLogs/') ? logOf(pod) : '');
  });
  const asked: ExecRequest[] = [];
  const open = new Set<Duplex>();
  server.on('upgrade', ({ url = '', headers }, socket: Duplex) => {
    open.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => open.delete(socket));
    socket.write(handshake(headers['sec-websocket-key'] ?? ''));
    const { pathname, searchParams } = new URL(url, 'https://kubelet');
    const [, , namespace = '', pod = '', container = ''] = pathname.split('/');
    const request = { namespace, pod, container, command: searchParams.getAll('command') };
    asked.push(request);
    void run(request).then(
      (outcome) => answer(socket, outcome),
      (error: unknown) => answer(socket, { exitCode: 126, stdout: '', stderr: String(error) }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    stop: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** RFC 6455, 4.2.2. */
function handshake(key: string): string {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    `Sec-WebSocket-Protocol: ${PROTOCOL}`,
    '\r\n',
  ].join('\r\n');
}

/** In pieces, as a kubelet sends them. */
function answer(socket: Duplex, { exitCode, stdout, stderr }: ExecOutcome): void {
  const send = (channel: number, text: string): void => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 8192)
      socket.write(frame(2, Buffer.concat([Buffer.from([channel]), bytes.subarray(at, at + 8192)])));
  };
  send(1, stdout);
  send(2, stderr);
  const failure = { status: 'Failure', message: `command terminated with non-zero exit code ${exitCode}` };
  send(3, JSON.stringify(exitCode === 0 ? { status: 'Success' } : failure));
  socket.end(frame(8, Buffer.from([0x03, 0xe8])));
}

/** One whole frame of a server (RFC 6455, 5.2): 2 is binary, 8 closes. */
function frame(opcode: number, payload: Buffer): Buffer {
  const head = payload.length < 126 ? Buffer.from([0x80 | opcode, payload.length]) : Buffer.alloc(4);
  if (payload.length >= 126) {
    head.set([0x80 | opcode, 126]);
    head.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([head, payload]);
}

/** The API server finds the kubelet of a Node by its `Hostname` address and port; the other addresses stay. */
export async function serveExec(
  cluster: Pick<TestCluster, 'admin'>,
  node: string,
  port: number,
): Promise<void> {
  const { status } = (await cluster.admin.get(NODES, { name: node })) as {
    readonly status: { readonly addresses?: readonly { readonly type: string }[] };
  };
  const addresses = (status.addresses ?? []).filter(({ type }) => type !== 'Hostname');
  await cluster.admin.mergePatch(
    NODES,
    { name: node, subresource: 'status' },
    {
      status: {
        addresses: [...addresses, { type: 'Hostname', address: '127.0.0.1' }],
        daemonEndpoints: { kubeletEndpoint: { Port: port } },
      },
    },
  );
}
