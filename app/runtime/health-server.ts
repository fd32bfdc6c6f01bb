// The only port a program opens: /healthz (the loop is alive), /readyz (it has done its first pass), /metrics.
import { createServer, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { SettingsError } from './errors.ts';

export interface HealthServerOptions {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  /** Undefined when healthy, else the reason. */
  readonly unhealthy: () => string | undefined;
  readonly unready: () => string | undefined;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens before anything else happens: on a host network the bound port is what keeps a second agent from acting. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    switch (request.url) {
      case '/healthz':
        answer(response, options.unhealthy());
        return;
      case '/readyz':
        answer(response, options.unready());
        return;
      case '/metrics':
        void options.registry.metrics().then((text) => {
          response.setHeader('Content-Type', options.registry.contentType);
          response.end(text);
        });
        return;
      default:
        response.statusCode = 404;
        response.end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(options, error)));
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What stops us from listening is a wrong setting, or another of us; anything else is a bug. */
function listenError({ host, port }: HealthServerOptions, error: NodeJS.ErrnoException): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new SettingsError(
        `another process listens on ${host}:${port}: only one may act on this host; stop it, or set another HEALTH_PORT`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new SettingsError(`HEALTH_HOST ${host} is no address of this host (${error.code})`);
    case 'EACCES':
      return new SettingsError(`HEALTH_PORT ${port} may not be used without more rights (EACCES)`);
    default:
      return error;
  }
}

function answer(response: ServerResponse, reason: string | undefined): void {
  response.statusCode = reason === undefined ? 200 : 503;
  response.end(reason ?? 'ok');
}
