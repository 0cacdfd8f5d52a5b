// SPDX-License-Identifier: Apache-2.0

/**
 * One try at a model server: hands on what its connection reads, keeps what has to be known to tell one failure from
 * another, and ends once.
 */

import { performance } from 'node:perf_hooks';
import type { UpstreamCall, UpstreamHandler } from '../director/ports.ts';
import type { Connection, Passenger } from './connection.ts';
import { LateAnswer, UpstreamError, upstreamError } from './upstream-error.ts';

/** Whose connections are tried. */
export interface TryOwner {
  /** See `UpstreamOptions`. */
  readonly idleCloseWindowMs: number;
  /** A try is over, just before its handler is told; `isKept`: its connection can be used again. */
  onTryOver(connection: Connection, isKept: boolean, error: UpstreamError | undefined): void;
}

export interface TryOptions {
  readonly handler: UpstreamHandler;
  /** 0: it is waited for without end; the same holds for what follows. */
  readonly firstByteTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** Kept as long as the answer takes: what it holds on to must not be the request, and with it the whole body. */
export class UpstreamTry implements UpstreamCall, Passenger {
  readonly #owner: TryOwner;
  readonly #connection: Connection;
  readonly #handler: UpstreamHandler;
  readonly #firstByteTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  #isSent = false;
  #isReused = false;
  #isBegun = false;
  #hasHead = false;
  #isFull = false;
  #isOver = false;
  #sentMs = 0;
  #touchedMs = 0;
  #deadlineMs = Infinity;

  constructor(owner: TryOwner, connection: Connection, { handler, firstByteTimeoutMs, idleTimeoutMs }: TryOptions) {
    this.#owner = owner;
    this.#connection = connection;
    this.#handler = handler;
    this.#firstByteTimeoutMs = firstByteTimeoutMs;
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  get isTaken(): boolean {
    return this.#isSent && this.#connection.isDrained;
  }

  abort(reason: string): void {
    this.#fail(new UpstreamError('aborted', reason));
  }

  /** Nothing will be sent. */
  refuse(error: UpstreamError): void {
    this.#fail(error);
  }

  resume(): void {
    if (!this.#isOver) this.#connection.resume();
  }

  sent(nowMs: number, isReused: boolean): void {
    this.#isSent = true;
    this.#isReused = isReused;
    this.#sentMs = nowMs;
    this.#deadlineMs = nowMs + (this.#firstByteTimeoutMs || Infinity);
  }

  touch(nowMs: number): void {
    this.#isBegun = true;
    this.#touchedMs = nowMs;
    if (this.#hasHead) this.#deadlineMs = nowMs + (this.#idleTimeoutMs || Infinity);
  }

  onHead(status: number, headers: readonly string[], lengthBytes: number | undefined): void {
    if (this.#isOver) return;
    this.#hasHead = true;
    this.#deadlineMs = this.#touchedMs + (this.#idleTimeoutMs || Infinity);
    this.#handler.onHeaders(status, headers, lengthBytes);
  }

  onBody(chunk: Buffer): void {
    if (this.#isOver) return;
    if (!this.#handler.onData(chunk)) this.#isFull = true;
  }

  takePause(): boolean {
    const isFull = this.#isFull;
    this.#isFull = false;
    return isFull;
  }

  lateError(): LateAnswer {
    return new LateAnswer(this.#hasHead ? 'timeout-idle' : 'timeout-first-byte');
  }

  end(isKept: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.onTryOver(this.#connection, isKept, undefined);
    this.#handler.onEnd();
  }

  fail(error: Error): void {
    const { idleCloseWindowMs } = this.#owner;
    this.#fail(
      upstreamError(error, {
        isSent: this.#isSent,
        isIdleClose: this.#isReused && performance.now() - this.#sentMs <= idleCloseWindowMs,
        isBegun: this.#isBegun,
        hasHead: this.#hasHead,
      }),
    );
  }

  #fail(error: UpstreamError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.onTryOver(this.#connection, false, error);
    this.#handler.onError(error);
  }
}
