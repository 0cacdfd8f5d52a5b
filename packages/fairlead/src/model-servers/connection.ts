// SPDX-License-Identifier: Apache-2.0

/**
 * One connection to a model server: an undici client that is used for one request at a time. Keeping them one by one,
 * in place of undici's own pool, is what tells a fresh connection from one that had been idle; and that decides
 * whether a request may be sent again after a reset.
 */

import { Client } from 'undici';
import type { buildConnector, Dispatcher } from 'undici';

/**
 * An idle connection is closed after so long, or a second before the server says it will (`keep-alive: timeout=5` of
 * llama.cpp); uvicorn, under vLLM, closes after 5 s and does not say so.
 */
export const IDLE_TIMEOUT_MS = 4000;

/** A server that asks for more is not believed beyond this: connections that long idle are cut by what lies between. */
const IDLE_TIMEOUT_MAX_MS = 60_000;
const HINT_MARGIN_MS = 1000;

/** A larger head of an answer is refused. */
const MAX_HEADER_BYTES = 64 * 1024;

export interface ConnectionOptions {
  readonly origin: string;
  readonly connector: buildConnector.connector;
  /** The connection ended while nobody used it. */
  readonly onIdleEnd: (connection: Connection) => void;
}

export class Connection {
  readonly #client: Client;
  /** Whether it is in its origin's list, to be used again. */
  idle = false;
  #isConnected = false;
  #isUsed = false;
  #tlsError: Error | undefined;

  constructor(options: ConnectionOptions) {
    this.#client = new Client(options.origin, {
      allowH2: false,
      pipelining: 1,
      connect: (target, callback) =>
        options.connector(target, (...result) => {
          this.#tlsError = undefined;
          result[1]?.once('error', (error: NodeJS.ErrnoException) => {
            if (error.code?.startsWith('ERR_SSL_') === true) this.#tlsError = error;
          });
          callback(...result);
        }),
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      keepAliveMaxTimeout: IDLE_TIMEOUT_MAX_MS,
      keepAliveTimeoutThreshold: HINT_MARGIN_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    this.#client.on('connect', () => {
      this.#isConnected = true;
      this.#isUsed = false;
    });
    this.#client.on('disconnect', () => {
      this.#isConnected = false;
      // With a request that is not written yet, undici connects anew by itself.
      if (this.idle) options.onIdleEnd(this);
    });
  }

  /** Whether there is a socket: without one, nothing can have been sent. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** How TLS failed after it was established; undici replaces it by the end of the socket, which follows. */
  get tlsError(): Error | undefined {
    return this.#tlsError;
  }

  /** Whether the socket of the moment has carried an answer already, and was idle since. */
  get isReused(): boolean {
    return this.#isUsed;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler);
  }

  /** An answer came to its end. */
  noteAnswered(): void {
    this.#isUsed = true;
  }

  /** Destroys the socket, if there is one. Idempotent. */
  destroy(): void {
    this.#client.destroy(null, () => undefined);
  }

  /** As `destroy`; called back when the socket is gone. */
  destroyed(callback: () => void): void {
    this.#client.destroy(null, callback);
  }
}
