// Credentials and address of the API server as @kubernetes/client-node reads them, over one pool of connections.
// Nothing is sent from here.
import type { AgentOptions } from 'node:https';
import { isDeepStrictEqual } from 'node:util';
import { KubeConfig, type Cluster, type RequestContext } from '@kubernetes/client-node';
import { Agent, type buildConnector } from 'undici';

type DispatcherOptions = ReturnType<KubeConfig['createDispatcherOptions']>;

/**
 * client-node 2.0.1 makes a connection pool for each request (300 GETs left 302 connections, measured). This one keeps
 * a single pool and renews it when what it was made of, such as the CA in its file, has changed.
 */
export class PooledKubeConfig extends KubeConfig {
  #pool: Agent | undefined;
  #madeOf: unknown;
  readonly #connections: number;

  constructor(connections: number) {
    super();
    this.#connections = connections;
  }

  /** Called by the base class for each request: takes what it would have made a pool of, and lets it make none. */
  override createDispatcherOptions(cluster: Cluster | null, tls: AgentOptions): DispatcherOptions {
    const options = super.createDispatcherOptions(cluster, tls);
    if (options.type !== 'agent') return options;
    if (this.#pool === undefined || !isDeepStrictEqual(options.connect, this.#madeOf)) {
      retire(this.#pool);
      this.#madeOf = options.connect;
      this.#pool = new Agent({
        connect: options.connect as buildConnector.BuildOptions,
        connections: this.#connections,
        keepAliveTimeout: IDLE_MS,
        // With HTTP/2 all requests share one connection; when that is dead, an aborted watch leaves it in the pool and
        // its successor waits in it again. With HTTP/1.1 what is given up takes its connection with it.
        allowH2: false,
      });
    }
    return { type: 'none' };
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    if (this.#pool !== undefined) context.setDispatcher(this.#pool);
  }

  /**
   * After a request of this pool has had no answer: its idle connections may be as dead as that one was, and each would
   * cost its user another timeout. What is under way in it goes on; everything new gets new connections.
   */
  abandon(pool: unknown): void {
    if (pool === undefined || pool !== this.#pool) return;
    retire(this.#pool);
    this.#pool = undefined;
  }

  async close(): Promise<void> {
    await this.#pool?.close();
  }
}

/** An idle connection is kept so long; kube-apiserver itself ends it after 90 s. */
const IDLE_MS = 60_000;

/** The old pool ends with its last request; a failure to close it changes nothing for the new one. */
function retire(pool: Agent | undefined): void {
  pool?.close().catch(() => undefined);
}
