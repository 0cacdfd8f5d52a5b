// SPDX-License-Identifier: Apache-2.0

/**
 * One try at a model server: hands on what its connection reads, keeps what has to be known to tell one failure from
 * another, and ends once.
 */

import { performance } from 'node:perf_hooks';
import type { UpstreamCall, UpstreamHandler } from '../director/ports.ts';
import type { Connection, Passenger } from './connection.ts';
import { LateAnswer, UpstreamError, upstreamError } from './upstream-error.ts';

export interface UpstreamTryOptions {
  readonly connection: Connection;
  readonly handler: UpstreamHandler;
  readonly firstByteTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly idleCloseWindowMs: number;
  /** The try is over, just before its handler is told; `isKept`: its connection can be used again. */
  readonly onOver: (isKept: boolean, error: UpstreamError | undefined) => void;
}

export class UpstreamTry implements UpstreamCall, Passenger {
  readonly #options: UpstreamTryOptions;
  #isSent = false;
  #isReused = false;
  #isBegun = false;
  #hasHead = false;
  #isFull = false;
  #isOver = false;
  #sentMs = 0;
  #touchedMs = 0;
  #deadlineMs = Infinity;

  constructor(options: UpstreamTryOptions) {
    this.#options = options;
  }

  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  get isTaken(): boolean {
    return this.#isSent && this.#options.connection.isDrained;
  }

  abort(reason: string): void {
    this.#fail(new UpstreamError('aborted', reason));
  }

  /** Nothing will be sent. */
  refuse(error: UpstreamError): void {
    this.#fail(error);
  }

  resume(): void {
    if (!this.#isOver) this.#options.connection.resume();
  }

  sent(nowMs: number, isReused: boolean): void {
    this.#isSent = true;
    this.#isReused = isReused;
    this.#sentMs = nowMs;
    this.#deadlineMs = nowMs + (this.#options.firstByteTimeoutMs || Infinity);
  }

  touch(nowMs: number): void {
    this.#isBegun = true;
    this.#touchedMs = nowMs;
    if (this.#hasHead) this.#deadlineMs = nowMs + (this.#options.idleTimeoutMs || Infinity);
  }

  onHead(status: number, headers: readonly string[], lengthBytes: number | undefined): void {
    if (this.#isOver) return;
    this.#hasHead = true;
    this.#deadlineMs = this.#touchedMs + (this.#options.idleTimeoutMs || Infinity);
    this.#options.handler.onHeaders(status, headers, lengthBytes);
  }

  onBody(chunk: Buffer): void {
    if (this.#isOver) return;
    if (!this.#options.handler.onData(chunk)) this.#isFull = true;
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
    this.#options.onOver(isKept, undefined);
    this.#options.handler.onEnd();
  }

  fail(error: Error): void {
    const { idleCloseWindowMs } = this.#options;
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
    this.#options.onOver(false, error);
    this.#options.handler.onError(error);
  }
}
