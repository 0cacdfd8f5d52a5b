// SPDX-License-Identifier: Apache-2.0

/**
 * The upstream client: sends one request to one model server and hands back the answer chunk by chunk, with pause and
 * resume, and no copy of a body. HTTP/1.1 over kept-alive connections, the latest used first so that the surplus
 * times out; as many as there are requests, because the flow controller is what limits those.
 */

import { buildConnector } from 'undici';
import type { UpstreamCall, UpstreamErrorKind, UpstreamHandler, UpstreamPort } from '../director/ports.ts';
import { Connection } from './connection.ts';
import type { UpstreamError } from './upstream-error.ts';
import type { UpstreamTls } from './tls-files.ts';
import { UpstreamTry } from './upstream-try.ts';

/** A request as it goes on the wire. */
export interface UpstreamRequest {
  /** Where to: only its base URL counts, `http://host:port[/prefix]`. */
  readonly endpoint: { readonly url: string };
  readonly method: string;
  /** Path and query, put behind the prefix of the endpoint's URL. */
  readonly path: string;
  /** Names and values in turn. Host, length and connection headers are made here; those given are left out. */
  readonly headers: readonly string[];
  readonly body: readonly Uint8Array[];
  /** From the request to the head of the answer; 0 is for ever. Kept to about a second. */
  readonly firstByteTimeoutMs: number;
  /** Silence within the answer; 0 is for ever. Kept to about a second. */
  readonly idleTimeoutMs: number;
  /** Use a new connection, never one that was idle: the retry after `reset-idle`. */
  readonly freshConnection: boolean;
}

export interface UpstreamOptions {
  /** Connected, TLS included, within. */
  readonly connectTimeoutMs: number;
  /**
   * A kept-alive connection that ends later than this after a request was written to it did not cross that request,
   * and the request counts as received: `reset`, not `reset-idle`. Default 1000: a round trip with a lost packet.
   */
  readonly idleCloseWindowMs?: number;
  /** For https URLs that were given nothing by `setTls`; by default the runtime's authorities count. */
  readonly tls?: UpstreamTls;
  /** A try failed in a way that says something about the model server, which may need a look. */
  readonly onFailure?: (url: string) => void;
}

/** Not those that are told otherwise: a refused connection by whoever asked, a stale one is no news, an abort is ours. */
const TELLING = new Set<UpstreamErrorKind>(['reset', 'died', 'timeout-first-byte', 'timeout-idle', 'protocol']);

/** What is kept for one base URL. */
interface Origin {
  readonly origin: string;
  readonly prefix: string;
  connector: buildConnector.connector;
  tls: UpstreamTls;
  readonly idle: Connection[];
  /** Connections, idle ones included. */
  open: number;
  authorization: string | undefined;
  isForgotten: boolean;
}

export class Upstream implements UpstreamPort {
  #options: Required<UpstreamOptions>;
  readonly #origins = new Map<string, Origin>();
  readonly #connections = new Set<Connection>();
  #isClosing = false;
  #onQuiet: (() => void) | undefined;
  #underWay = 0;

  constructor(options: UpstreamOptions) {
    this.#options = { idleCloseWindowMs: 1000, tls: {}, onFailure: () => undefined, ...options };
  }

  /**
   * Sends one request. Nothing is called before this returns; then `onHeaders`, `onData`… and `onEnd`, or `onError`
   * at any point, with an `UpstreamError`. The last call is exactly one of `onEnd` and `onError`; `abort` makes it
   * `onError` with kind `aborted` unless it has been made.
   */
  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const origin = this.#originOf(request.endpoint.url);
    const connection = this.#connectionTo(origin, request.freshConnection);
    this.#underWay += 1;
    // What follows may be kept as long as the answer takes: it must not hold the request, and with it the whole body.
    const { url } = request.endpoint;
    const options = dispatchOptions(request, origin);
    const call = new UpstreamTry({
      connection,
      handler,
      idleCloseWindowMs: this.#options.idleCloseWindowMs,
      onOver: (error) => {
        this.#over(origin, connection, error);
        if (error !== undefined && TELLING.has(error.kind)) this.#options.onFailure(url);
      },
    });
    const isClosed = this.#isClosing;
    // Not at once: undici cannot write to one connection while it reads from another, as a caller may be doing.
    queueMicrotask(() => {
      if (isClosed) call.abort('the upstream client is closed');
      else if (!call.isOver) connection.dispatch(options, call);
    });
    return call;
  }

  /** Sends this as `Authorization` with every request to a base URL, in place of any other. Undefined: no more. */
  setAuthorization(url: string, authorization: string | undefined): void {
    this.#originOf(url).authorization = authorization;
  }

  /** How connections to an https base URL are made from now on. */
  setTls(url: string, tls: UpstreamTls): void {
    const origin = this.#originOf(url);
    origin.tls = tls;
    origin.connector = this.#connectorWith(tls);
  }

  /** Another time to connect within, for connections that are opened later. */
  setConnectTimeout(connectTimeoutMs: number): void {
    if (connectTimeoutMs === this.#options.connectTimeoutMs) return;
    this.#options = { ...this.#options, connectTimeoutMs };
    for (const origin of this.#origins.values()) origin.connector = this.#connectorWith(origin.tls);
  }

  /** Closes idle connections to a base URL: the server behind it went away. */
  dropIdle(url: string): void {
    const origin = this.#origins.get(url);
    for (const connection of origin?.idle.slice() ?? []) this.#discard(origin!, connection);
  }

  /** Forgets a base URL with its authorization; what is under way ends as usual. */
  forget(url: string): void {
    const origin = this.#origins.get(url);
    if (origin === undefined) return;
    this.dropIdle(url);
    origin.isForgotten = true;
    this.#origins.delete(url);
  }

  /** Connections open or being opened to a base URL, and those of them that are idle. */
  connections(url: string): { readonly open: number; readonly idle: number } {
    const origin = this.#origins.get(url);
    return { open: origin?.open ?? 0, idle: origin?.idle.length ?? 0 };
  }

  /** Refuses further requests, lets those under way end, closes idle connections. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#onQuiet = resolve));
    await this.destroy();
  }

  /** Cuts everything; what is under way fails as `aborted`. Resolves when every socket is gone. */
  async destroy(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#connections].map((each) => new Promise<void>((resolve) => each.destroyed(resolve))));
    this.#connections.clear();
    this.#origins.clear();
  }

  #originOf(url: string): Origin {
    let origin = this.#origins.get(url);
    if (origin === undefined) {
      const { origin: base, pathname } = new URL(url);
      const { tls } = this.#options;
      const connector = this.#connectorWith(tls);
      const prefix = pathname.replace(/\/+$/, '');
      origin = {
        origin: base,
        prefix,
        connector,
        tls,
        idle: [],
        open: 0,
        authorization: undefined,
        isForgotten: false,
      };
      this.#origins.set(url, origin);
    }
    return origin;
  }

  #connectorWith(tls: UpstreamTls): buildConnector.connector {
    const options: buildConnector.BuildOptions = { timeout: this.#options.connectTimeoutMs, allowH2: false };
    return buildConnector({ ...options, ...(tls as buildConnector.BuildOptions) });
  }

  #connectionTo(origin: Origin, fresh: boolean): Connection {
    const idle = fresh ? undefined : origin.idle.pop();
    if (idle !== undefined) {
      idle.idle = false;
      return idle;
    }
    const connection = new Connection({
      origin: origin.origin,
      connector: origin.connector,
      onIdleEnd: (ended) => this.#discard(origin, ended),
    });
    this.#connections.add(connection);
    origin.open += 1;
    return connection;
  }

  #over(origin: Origin, connection: Connection, error: UpstreamError | undefined): void {
    if (error === undefined && !this.#isClosing && !origin.isForgotten) {
      connection.idle = true;
      origin.idle.push(connection);
    } else this.#discard(origin, connection);
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#onQuiet?.();
  }

  #discard(origin: Origin, connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    origin.open -= 1;
    if (connection.idle) origin.idle.splice(origin.idle.lastIndexOf(connection), 1);
    connection.idle = false;
    connection.destroy();
  }
}

/** Made by the client from the body and the connection, or meaningless on this hop. */
const OWN_HEADERS = new Set([
  'host',
  'content-length',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

function dispatchOptions(request: UpstreamRequest, origin: Origin): Parameters<Connection['dispatch']>[0] {
  const { authorization } = origin;
  const headers: string[] = [];
  for (let index = 0; index + 1 < request.headers.length; index += 2) {
    const name = request.headers[index]!;
    const lower = name.toLowerCase();
    if (OWN_HEADERS.has(lower) || (authorization !== undefined && lower === 'authorization')) continue;
    headers.push(name, request.headers[index + 1]!);
  }
  if (authorization !== undefined) headers.push('authorization', authorization);
  const { method, body } = request;
  const options = {
    path: origin.prefix + request.path,
    method,
    headers,
    headersTimeout: request.firstByteTimeoutMs,
    bodyTimeout: request.idleTimeoutMs,
  };
  if (body.length <= 1) return { ...options, body: body[0] ?? null };
  // Several chunks go out as they are, one after the other, under the length they have together.
  headers.push('content-length', String(body.reduce((sum, chunk) => sum + chunk.byteLength, 0)));
  return { ...options, body: new Outgoing(body) as never };
}

/**
 * A body that lets go of its chunks as they are sent: undici keeps the body of a request until its answer is complete,
 * which for a stream is minutes after anybody needed it. Can be read once.
 */
class Outgoing implements Iterable<Uint8Array> {
  readonly #left: Uint8Array[];

  constructor(chunks: readonly Uint8Array[]) {
    this.#left = [...chunks].reverse();
  }

  *[Symbol.iterator](): Generator<Uint8Array, void> {
    for (let chunk = this.#left.pop(); chunk !== undefined; chunk = this.#left.pop()) yield chunk;
  }
}
