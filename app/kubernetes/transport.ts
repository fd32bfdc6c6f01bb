// Requests and streams of lines over one shared pool. Address and credentials come from a kubeconfig or the pod's service
// account, by @kubernetes/client-node. Every failure is an ApiError; whether to try again is for others to decide.
import { RequestContext, type HttpMethod } from '@kubernetes/client-node';
import { request, WebSocket, type Dispatcher } from 'undici';
import { SettingsError } from '../runtime/errors.ts';
import { ApiError, errorOfStatus } from './api-error.ts';
import { PooledKubeConfig } from './pooled-kube-config.ts';

export interface TransportOptions {
  /** Path of a kubeconfig; absent: the service account of the pod. */
  readonly kubeconfig?: string;
  /** A request without an answer fails after this. */
  readonly timeoutMs?: number;
  /** Connections at most, watches included; what exceeds them waits. */
  readonly connections?: number;
  /** The API server's wall clock in milliseconds, whole seconds of it, as it stands in each answer. */
  readonly onServerTime?: (timeMs: number) => void;
}

export type Query = Readonly<Record<string, string>>;

export interface Call {
  readonly method: HttpMethod;
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
}

export interface StreamOptions {
  readonly signal: AbortSignal;
  /** Nothing received for so long: the connection is dead. */
  readonly silenceMs: number;
}

export class Transport {
  readonly #config: PooledKubeConfig;
  readonly #timeoutMs: number;
  readonly #onServerTime: TransportOptions['onServerTime'];

  /** Reads the kubeconfig; throws SettingsError when it cannot be used. Nothing is sent yet. */
  constructor(options: TransportOptions) {
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#onServerTime = options.onServerTime;
    this.#config = new PooledKubeConfig(options.connections ?? 24);
    load(this.#config, options.kubeconfig);
  }

  /** The parsed body of an answer of success. */
  async json(call: Call): Promise<unknown> {
    return this.#answer(call, (body) => body.json());
  }

  /** The body of an answer of success as it is. */
  async text(call: Call): Promise<string> {
    return this.#answer(call, (body) => body.text());
  }

  async #answer<T>(call: Call, read: (body: Dispatcher.ResponseData['body']) => Promise<T>): Promise<T> {
    const context = this.#contextOf(call);
    try {
      const options = { signal: AbortSignal.timeout(this.#timeoutMs), silenceMs: this.#timeoutMs };
      const response = await this.#send(call, context, options);
      if (response.statusCode >= 300) throw await failure(call, response);
      return await read(response.body);
    } catch (error) {
      throw this.#asApiError(call, context, error);
    }
  }

  /** The lines of an answer of success as they come, until the server ends it. */
  async *lines(call: Call, options: StreamOptions): AsyncGenerator<string, void, undefined> {
    const context = this.#contextOf(call);
    try {
      const response = await this.#send(call, context, options);
      if (response.statusCode >= 300) throw await failure(call, response);
      yield* linesOf(response.body);
    } catch (error) {
      throw this.#asApiError(call, context, error);
    }
  }

  /** A WebSocket to that path with the credentials of all requests; it opens, or fails without saying why. */
  async webSocket(path: string, query: URLSearchParams, protocol: string): Promise<WebSocket> {
    const context = this.#contextOf({ method: 'GET', path });
    await this.#config.applySecurityAuthentication(context);
    const dispatcher = context.getDispatcher();
    return new WebSocket(`${context.getUrl().replace(/^http/, 'ws')}?${query.toString()}`, {
      protocols: [protocol],
      headers: { ...context.getHeaders(), 'user-agent': 'ipsec-policy-operator' },
      ...(dispatcher === undefined ? {} : { dispatcher: dispatcher }),
    });
  }

  async close(): Promise<void> {
    await this.#config.close();
  }

  #contextOf(call: Call): RequestContext {
    const server = this.#config.getCurrentCluster()?.server.replace(/\/$/, '') ?? '';
    const query = new URLSearchParams(call.query).toString();
    return new RequestContext(`${server}${call.path}${query === '' ? '' : `?${query}`}`, call.method);
  }

  async #send(call: Call, context: RequestContext, options: StreamOptions): Promise<Dispatcher.ResponseData> {
    await this.#config.applySecurityAuthentication(context);
    const dispatcher = context.getDispatcher();
    const response = await request(context.getUrl(), {
      method: call.method,
      headers: {
        ...context.getHeaders(),
        accept: 'application/json',
        'user-agent': 'ipsec-policy-operator',
        ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
      },
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal: options.signal,
      headersTimeout: this.#timeoutMs,
      bodyTimeout: options.silenceMs,
      ...(dispatcher === undefined ? {} : { dispatcher }),
    });
    const timeMs = Date.parse(String(response.headers['date']));
    if (!Number.isNaN(timeMs)) this.#onServerTime?.(timeMs);
    return response;
  }

  /** Whatever undici, TLS or a broken answer throws: there was no usable answer, and its pool is not used again. */
  #asApiError(call: Call, context: RequestContext, cause: unknown): ApiError {
    if (cause instanceof ApiError) return cause;
    this.#config.abandon(context.getDispatcher());
    const message = `${call.method} ${call.path}: no answer from the API server`;
    return new ApiError({ status: 0, reason: 'NoAnswer', message, cause });
  }
}

/** Throws SettingsError, never with what stands in the file: it holds keys. */
function load(config: PooledKubeConfig, file: string | undefined): void {
  try {
    if (file === undefined) config.loadFromCluster();
    else config.loadFromFile(file);
  } catch (error) {
    if (file === undefined) throw new SettingsError(NO_CLUSTER);
    throw new SettingsError(`the kubeconfig ${file} cannot be used: ${whyUnusable(error)}`);
  }
  const server = config.getCurrentCluster()?.server;
  if (server !== undefined && URL.canParse(server)) return;
  if (file === undefined) throw new SettingsError(NO_CLUSTER);
  throw new SettingsError(
    `the kubeconfig ${file} cannot be used: its current context leads to no cluster with a server's URL`,
  );
}

const NO_CLUSTER = 'no cluster: set KUBECONFIG to the path of a kubeconfig, or run in a pod';

function whyUnusable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^E[A-Z]+$/.test(code) ? code : 'it is no kubeconfig';
}

/** Complete lines only: a line that was cut off belongs to a connection that broke, and will be sent again. */
async function* linesOf(body: Dispatcher.ResponseData['body']): AsyncGenerator<string, void, undefined> {
  body.setEncoding('utf8');
  let rest = '';
  for await (const chunk of body as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

async function failure(call: Call, response: Dispatcher.ResponseData): Promise<ApiError> {
  const text = await response.body.text();
  return errorOfStatus(`${call.method} ${call.path}`, response.statusCode, parsedOrText(text));
}

function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.slice(0, 500) };
  }
}
