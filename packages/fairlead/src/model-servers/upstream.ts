// SPDX-License-Identifier: Apache-2.0

/**
 * The upstream client: sends one request to one model server and hands back the answer chunk by chunk, with pause and
 * resume, and no copy of a body. HTTP/1.1 over kept-alive connections, the latest used first so that the surplus
 * times out; as many as there are requests, because the flow controller is what limits those.
 */

import { performance } from 'node:perf_hooks';
import type { Endpoint } from '@fairlead/core';
import type {
  UpstreamCall,
  UpstreamErrorKind,
  UpstreamHandler,
  UpstreamPort,
  UpstreamRequest,
} from '../director/ports.ts';
import type { RepeatedHeads } from '../sockets/repeated-heads.ts';
import { Connection } from './connection.ts';
import type { ConnectTarget } from './connection.ts';
import { UpstreamError, upstreamError } from './upstream-error.ts';
import type { UpstreamTls } from './tls-files.ts';
import { UpstreamTry } from './upstream-try.ts';
import { repeatedHeads } from './wire/answer-parser.ts';
import type { AnswerHeadRead } from './wire/answer-parser.ts';
import { wireRequest } from './wire/request-bytes.ts';
import type { WireRequest } from './wire/request-bytes.ts';

/** A request to send; of its endpoint only the base URL counts, `http://host:port[/prefix]`. */
export type AddressedRequest = Omit<UpstreamRequest, 'endpoint'> & { readonly endpoint: Pick<Endpoint, 'url'> };

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

/** How often connections are looked at that took too long: times are kept to about so much. */
const SWEEP_MS = 500;

const UNSENT = { isSent: false, isIdleClose: false, isBegun: false, hasHead: false };

/** What is kept for one base URL. */
interface Origin {
  /** As it is named in requests. */
  readonly host: string;
  readonly prefix: string;
  target: ConnectTarget;
  readonly idle: Connection[];
  readonly heads: RepeatedHeads<AnswerHeadRead>;
  /** Connections, idle ones included. */
  open: number;
  authorization: string | undefined;
  isForgotten: boolean;
}

export class Upstream implements UpstreamPort {
  #options: Required<UpstreamOptions>;
  readonly #origins = new Map<string, Origin>();
  readonly #connections = new Set<Connection>();
  #isDestroyed = false;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(options: UpstreamOptions) {
    this.#options = { idleCloseWindowMs: 1000, tls: {}, onFailure: () => undefined, ...options };
  }

  /**
   * Sends one request. Nothing is called before this returns; then `onHeaders`, `onData`… and `onEnd`, or `onError`
   * at any point, with an `UpstreamError`. The last call is exactly one of `onEnd` and `onError`; `abort` makes it
   * `onError` with kind `aborted` unless it has been made.
   */
  send(request: AddressedRequest, handler: UpstreamHandler): UpstreamCall {
    const origin = this.#originOf(request.endpoint.url);
    const nowMs = performance.now();
    const connection = (request.freshConnection ? undefined : this.#idleOf(origin, nowMs)) ?? this.#newOf(origin);
    const { url } = request.endpoint;
    const { firstByteTimeoutMs, idleTimeoutMs } = request;
    const call = new UpstreamTry({
      connection,
      handler,
      firstByteTimeoutMs,
      idleTimeoutMs,
      idleCloseWindowMs: this.#options.idleCloseWindowMs,
      // Kept as long as the answer takes: what it holds on to must not be the request, and with it the whole body.
      onOver: (isKept, error) => {
        this.#over(origin, connection, isKept);
        if (error !== undefined && TELLING.has(error.kind)) this.#options.onFailure(url);
      },
    });
    const wire = this.#isDestroyed ? closed() : bytesOf(request, origin);
    if ('pieces' in wire) connection.send(wire, call, nowMs);
    // Later: nothing is called before this returns.
    else queueMicrotask(() => call.refuse(wire));
    return call;
  }

  /** Sends this as `Authorization` with every request to a base URL, in place of any other. Undefined: no more. */
  setAuthorization(url: string, authorization: string | undefined): void {
    this.#originOf(url).authorization = authorization;
  }

  /** How connections to an https base URL are made from now on. */
  setTls(url: string, tls: UpstreamTls): void {
    const origin = this.#originOf(url);
    if (origin.target.tls !== undefined) origin.target = { ...origin.target, tls, session: undefined };
  }

  /** Another time to connect within, for connections that are opened later. */
  setConnectTimeout(connectTimeoutMs: number): void {
    this.#options = { ...this.#options, connectTimeoutMs };
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

  /** Refuses further requests and cuts everything; what is under way fails as `aborted`. Resolves when every socket is gone. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    const all = [...this.#connections];
    const gone = all.map((connection) => new Promise<void>((resolve) => connection.destroyed(resolve)));
    await Promise.all(gone);
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
    this.#connections.clear();
    this.#origins.clear();
  }

  #originOf(url: string): Origin {
    let origin = this.#origins.get(url);
    if (origin === undefined) {
      const { host, pathname } = new URL(url);
      const target = targetOf(url, this.#options.tls);
      const prefix = pathname.replace(/\/+$/, '');
      origin = {
        host,
        prefix,
        target,
        idle: [],
        heads: repeatedHeads(),
        open: 0,
        authorization: undefined,
        isForgotten: false,
      };
      this.#origins.set(url, origin);
    }
    return origin;
  }

  #idleOf(origin: Origin, nowMs: number): Connection | undefined {
    for (let idle = origin.idle.pop(); idle !== undefined; idle = origin.idle.pop()) {
      idle.idle = false;
      if (idle.isUsable(nowMs)) return idle;
      this.#discard(origin, idle);
    }
    return undefined;
  }

  #newOf(origin: Origin): Connection {
    const connection = new Connection({
      target: origin.target,
      heads: origin.heads,
      connectTimeoutMs: this.#options.connectTimeoutMs,
      onIdleEnd: (ended) => this.#discard(origin, ended),
    });
    this.#connections.add(connection);
    this.#sweeping ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    origin.open += 1;
    return connection;
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.sweep(nowMs);
    if (this.#connections.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  #over(origin: Origin, connection: Connection, isKept: boolean): void {
    if (isKept && !this.#isDestroyed && !origin.isForgotten) {
      connection.idle = true;
      origin.idle.push(connection);
    } else this.#discard(origin, connection);
  }

  #discard(origin: Origin, connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    origin.open -= 1;
    if (connection.idle) origin.idle.splice(origin.idle.lastIndexOf(connection), 1);
    connection.idle = false;
    connection.destroy();
  }
}

function targetOf(url: string, tls: UpstreamTls): ConnectTarget {
  const { protocol, hostname, port } = new URL(url);
  const isSecure = protocol === 'https:';
  return {
    // IPv6 addresses stand in brackets in a URL only.
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (isSecure ? 443 : 80),
    tls: isSecure ? tls : undefined,
    session: undefined,
  };
}

/** The bytes to send, or why they cannot be. */
function bytesOf(request: AddressedRequest, { host, prefix, authorization }: Origin): WireRequest | UpstreamError {
  const { method, headers, requestId, body } = request;
  try {
    return wireRequest({ method, path: prefix + request.path, host, authorization, headers, requestId, body });
  } catch (error) {
    return upstreamError(error, UNSENT);
  }
}

function closed(): UpstreamError {
  return new UpstreamError('aborted', 'the upstream client is closed');
}
