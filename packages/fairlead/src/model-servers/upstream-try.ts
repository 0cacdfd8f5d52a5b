// SPDX-License-Identifier: Apache-2.0

/**
 * One try at a model server: translates undici's handler protocol to ours, keeps what has to be known to tell one
 * failure from another, and ends once.
 */

import type { Dispatcher } from 'undici';
import type { UpstreamCall, UpstreamHandler } from '../director/ports.ts';
import type { Connection } from './connection.ts';
import { UpstreamError, upstreamError } from './upstream-error.ts';

export interface UpstreamTryOptions {
  readonly connection: Connection;
  readonly handler: UpstreamHandler;
  readonly idleCloseWindowMs: number;
  /** The try is over, just before its handler is told: after an error the connection must not be used again. */
  readonly onOver: (error: UpstreamError | undefined) => void;
}

export class UpstreamTry implements UpstreamCall, Dispatcher.DispatchHandler {
  readonly #connection: Connection;
  readonly #handler: UpstreamHandler;
  readonly #idleCloseWindowMs: number;
  readonly #onOver: (error: UpstreamError | undefined) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #isReused = false;
  #isBegun = false;
  #hasHead = false;
  #isOver = false;
  #sentMs = 0;

  constructor(options: UpstreamTryOptions) {
    this.#connection = options.connection;
    this.#handler = options.handler;
    this.#idleCloseWindowMs = options.idleCloseWindowMs;
    this.#onOver = options.onOver;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  abort(reason: string): void {
    // Not through undici's own abort: it would call back as if the model server had failed.
    this.#fail(new UpstreamError('aborted', reason));
  }

  resume(): void {
    // Not at once: undici cannot read from one connection while it reads from another, as the caller may be doing.
    queueMicrotask(() => {
      if (!this.#isOver) this.#controller?.resume();
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#isOver) {
      controller.abort(new UpstreamError('aborted', 'aborted'));
      return;
    }
    this.#controller = controller;
    this.#isReused = this.#connection.isReused;
    this.#sentMs = performance.now();
  }

  onResponseStarted(): void {
    this.#isBegun = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // Interim answers (103 Early Hints) are between the server and us.
    if (this.#isOver || status < 200) return;
    this.#hasHead = true;
    this.#handler.onHeaders(status, rawHeaders(controller.rawHeaders));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    if (!this.#handler.onData(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.noteAnswered();
    this.#onOver(undefined);
    this.#handler.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#isOver) return;
    const isSent = this.#controller !== undefined;
    this.#fail(
      upstreamError(this.#connection.tlsError ?? error, {
        isAborted: false,
        isConnected: this.#connection.isConnected,
        isSent,
        isIdleClose: this.#isReused && performance.now() - this.#sentMs <= this.#idleCloseWindowMs,
        isBegun: this.#isBegun,
        hasHead: this.#hasHead,
      }),
    );
  }

  #fail(error: UpstreamError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver(error);
    this.#handler.onError(error);
  }
}

/** Names and values in turn, byte for byte (Latin-1); undici's parser lets no control byte through. */
function rawHeaders(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')));
}
