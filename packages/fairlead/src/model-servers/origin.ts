// SPDX-License-Identifier: Apache-2.0

/**
 * One base URL of model servers: how it is named in requests, and the connections to it, the latest used first so that
 * the surplus times out.
 */

import type { UpstreamErrorKind } from '../director/ports.ts';
import { Connection } from './connection.ts';
import type { ConnectTarget, ConnectionOwner } from './connection.ts';
import type { UpstreamTls } from './tls-files.ts';
import type { UpstreamError } from './upstream-error.ts';
import type { TryOwner } from './upstream-try.ts';
import { repeatedHeads } from './wire/answer-parser.ts';

/** What all origins share; as it is at the moment it is read. */
export interface OriginContext {
  connectTimeoutMs: number;
  readonly idleCloseWindowMs: number;
  /** Of all origins. */
  readonly connections: Set<Connection>;
  /** A try failed in a way that says something about the model server. */
  onFailure(url: string): void;
}

/** Not those that are told otherwise: a refused connection by whoever asked, a stale one is no news, an abort is ours. */
const TELLING = new Set<UpstreamErrorKind>(['reset', 'died', 'timeout-first-byte', 'timeout-idle', 'protocol']);

export class Origin implements ConnectionOwner, TryOwner {
  /** As it is named in requests. */
  readonly host: string;
  /** Before the path of each request. */
  readonly prefix: string;
  readonly heads = repeatedHeads();
  target: ConnectTarget;
  authorization: string | undefined;
  readonly #url: string;
  readonly #context: OriginContext;
  readonly #idle: Connection[] = [];
  #open = 0;
  /** Connections are not kept any more. */
  #isForgotten = false;

  constructor(url: string, tls: UpstreamTls, context: OriginContext) {
    const { protocol, host, hostname, port, pathname } = new URL(url);
    const isSecure = protocol === 'https:';
    this.#url = url;
    this.#context = context;
    this.host = host;
    this.prefix = pathname.replace(/\/+$/, '');
    this.target = {
      // IPv6 addresses stand in brackets in a URL only.
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port) || (isSecure ? 443 : 80),
      tls: isSecure ? tls : undefined,
      session: undefined,
    };
  }

  get connectTimeoutMs(): number {
    return this.#context.connectTimeoutMs;
  }

  get idleCloseWindowMs(): number {
    return this.#context.idleCloseWindowMs;
  }

  /** Connections open or being opened, and those of them that are idle. */
  get connections(): { readonly open: number; readonly idle: number } {
    return { open: this.#open, idle: this.#idle.length };
  }

  /** The idle connection that was used last, if one can be used still. */
  idleConnection(nowMs: number): Connection | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      idle.idle = false;
      if (idle.isUsable(nowMs)) return idle;
      this.#discard(idle);
    }
    return undefined;
  }

  newConnection(): Connection {
    const connection = new Connection(this);
    this.#context.connections.add(connection);
    this.#open += 1;
    return connection;
  }

  /** Closes idle connections. */
  dropIdle(): void {
    for (const connection of this.#idle.slice()) this.#discard(connection);
  }

  /** Closes idle connections, and others as their requests end. */
  forget(): void {
    this.#isForgotten = true;
    this.dropIdle();
  }

  onIdleEnd(connection: Connection): void {
    this.#discard(connection);
  }

  onTryOver(connection: Connection, isKept: boolean, error: UpstreamError | undefined): void {
    if (isKept && !this.#isForgotten) {
      connection.idle = true;
      this.#idle.push(connection);
    } else this.#discard(connection);
    if (error !== undefined && TELLING.has(error.kind)) this.#context.onFailure(this.#url);
  }

  #discard(connection: Connection): void {
    if (!this.#context.connections.delete(connection)) return;
    this.#open -= 1;
    if (connection.idle) this.#idle.splice(this.#idle.lastIndexOf(connection), 1);
    connection.idle = false;
    connection.destroy();
  }
}
