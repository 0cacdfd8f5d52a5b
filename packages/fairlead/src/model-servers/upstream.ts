// SPDX-License-Identifier: Apache-2.0

/**
 * The upstream client: sends one request to one model server and hands back the answer chunk by chunk, with pause and
 * resume, and no copy of a body. HTTP/1.1 over kept-alive connections, as many as there are requests, because the flow
 * controller is what limits those.
 */

import { performance } from 'node:perf_hooks';
import type { Endpoint } from '@fairlead/core';
import type { UpstreamCall, UpstreamHandler, UpstreamPort, UpstreamRequest } from '../director/ports.ts';
import { Origin } from './origin.ts';
import type { OriginContext } from './origin.ts';
import { UpstreamError, upstreamError } from './upstream-error.ts';
import type { UpstreamTls } from './tls-files.ts';
import { UpstreamTry } from './upstream-try.ts';
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

/** How often connections are looked at that took too long: times are kept to about so much. */
const SWEEP_MS = 500;

const UNSENT = { isSent: false, isIdleClose: false, isBegun: false, hasHead: false };

export class Upstream implements UpstreamPort {
  /** For URLs that nothing else is set for. */
  readonly #tls: UpstreamTls;
  readonly #context: OriginContext;
  readonly #origins = new Map<string, Origin>();
  #isDestroyed = false;
  #sweeping: NodeJS.Timeout | undefined;

  constructor({ connectTimeoutMs, idleCloseWindowMs = 1000, tls = {}, onFailure = () => undefined }: UpstreamOptions) {
    this.#tls = tls;
    this.#context = { connectTimeoutMs, idleCloseWindowMs, onFailure, connections: new Set() };
  }

  /**
   * Sends one request. Nothing is called before this returns; then `onHeaders`, `onData`… and `onEnd`, or `onError`
   * at any point, with an `UpstreamError`. The last call is exactly one of `onEnd` and `onError`; `abort` makes it
   * `onError` with kind `aborted` unless it has been made.
   */
  send(request: AddressedRequest, handler: UpstreamHandler): UpstreamCall {
    const origin = this.#originOf(request.endpoint.url);
    const nowMs = performance.now();
    const idle = request.freshConnection ? undefined : origin.idleConnection(nowMs);
    const connection = idle ?? origin.newConnection();
    this.#sweeping ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    const { firstByteTimeoutMs, idleTimeoutMs } = request;
    const call = new UpstreamTry(origin, connection, { handler, firstByteTimeoutMs, idleTimeoutMs });
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
    this.#context.connectTimeoutMs = connectTimeoutMs;
  }

  /** Closes idle connections to a base URL: the server behind it went away. */
  dropIdle(url: string): void {
    this.#origins.get(url)?.dropIdle();
  }

  /** Forgets a base URL with its authorization; what is under way ends as usual. */
  forget(url: string): void {
    this.#origins.get(url)?.forget();
    this.#origins.delete(url);
  }

  /** Connections open or being opened to a base URL, and those of them that are idle. */
  connections(url: string): { readonly open: number; readonly idle: number } {
    return this.#origins.get(url)?.connections ?? { open: 0, idle: 0 };
  }

  /** Refuses further requests and cuts everything; what is under way fails as `aborted`. Resolves when every socket is gone. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    const { connections } = this.#context;
    const gone = [...connections].map((connection) => new Promise<void>((resolve) => connection.destroyed(resolve)));
    await Promise.all(gone);
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
    connections.clear();
    this.#origins.clear();
  }

  #originOf(url: string): Origin {
    let origin = this.#origins.get(url);
    if (origin === undefined) {
      origin = new Origin(url, this.#tls, this.#context);
      this.#origins.set(url, origin);
    }
    return origin;
  }

  #sweep(): void {
    const nowMs = performance.now();
    const { connections } = this.#context;
    for (const connection of connections) connection.sweep(nowMs);
    if (connections.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }
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
