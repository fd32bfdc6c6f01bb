// A TCP proxy in front of the API server that can fall silent: existing connections stay open and carry nothing any
// more, as when a cable is pulled; new ones work.
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';

export interface SilentProxy {
  /** A copy of a kubeconfig that goes through the proxy. */
  kubeconfig(original: string): string;
  silence(): void;
  stop(): Promise<void>;
}

export async function startSilentProxy(targetUrl: string): Promise<SilentProxy> {
  const target = new URL(targetUrl);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    kubeconfig: (original) => {
      const path = `${original}.through-proxy`;
      const text = readFileSync(original, 'utf8').replaceAll(targetUrl, `https://127.0.0.1:${port}`);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    },
    silence: () => {
      for (const socket of sockets) socket.unpipe();
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
