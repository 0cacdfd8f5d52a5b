// SPDX-License-Identifier: Apache-2.0

/**
 * Takes in a request body, header first: what it announces is checked against the limit and reserved from the byte
 * budget before a byte of it is read; what it does not announce (chunked) is reserved as it arrives. A body that stops
 * coming loses its reservation, and so does one that trickles while memory is short: slow clients cannot hold the memory
 * of quick ones.
 */

import { atTurnEnd } from '../sockets/turn-writes.ts';
import type { AtTurnEnd } from '../sockets/turn-writes.ts';
import { BodyChunks } from './body-chunks.ts';
import type { ByteBudget, Reservation } from './byte-budget.ts';
import type { BodyReader } from './wire/client-request.ts';

/** While more than this share of the budget is reserved, a body has to come at this rate. */
const SHORT_SHARE = 0.5;
const SLOW_BYTES_PER_S = 16 * 1024;

/**
 * What a request costs beside its body while it is held: its connection, its head, and the objects of both. Measured
 * as resident memory over idle: 20 KB each with ten thousand waiting, 26 KB with five thousand. Without it the budget
 * would say little of small requests.
 */
export const REQUEST_BYTES = 24 * 1024;
/** Of its head, what that covers: a longer one is held as it came, and counts with what it has more. */
const COVERED_HEAD_BYTES = 2048;

export interface BodyLimits {
  readonly maxBodyBytes: number;
  /** Longest silence within a body. */
  readonly bodyIdleTimeoutMs: number;
  readonly budget: ByteBudget;
  nowMs(): number;
}

/** A whole body. */
export interface Body {
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
}

/** Why there is none: over the limit; no room in the budget; it stopped coming; it trickled while memory was short. */
export type BodyProblem = 'too-large' | 'no-room' | 'idle' | 'slow';

/** What the head of a request says of it. */
export interface BodyOrigin {
  readonly headBytes: number;
  /** Length of the body as it is announced; undefined when it is not. */
  readonly lengthBytes: number | undefined;
}

export interface BodyTaker {
  /** Called once, unless `BodyReceiver.stop` comes first. */
  onBody(body: Body): void;
  onProblem(problem: BodyProblem): void;
}

/** Where a body comes from. */
export interface BodySource {
  /** From now on it goes there. */
  read(reader: BodyReader): void;
  /** Nobody wants the rest. */
  discard(): void;
}

export class BodyReceiver implements BodyReader, AtTurnEnd {
  readonly #source: BodySource;
  readonly #limits: BodyLimits;
  readonly #taker: BodyTaker;
  readonly #announcedBytes: number | undefined;
  /** What its request costs beside it. */
  readonly #requestBytes: number;
  readonly #chunks = new BodyChunks();
  #reservation: Reservation | undefined;
  #startedMs = 0;
  #idle: NodeJS.Timeout | undefined;
  /** Nothing more is taken. */
  #isOver = false;

  constructor(
    source: BodySource,
    { headBytes, lengthBytes }: BodyOrigin,
    { limits, taker }: { readonly limits: BodyLimits; readonly taker: BodyTaker },
  ) {
    this.#source = source;
    this.#limits = limits;
    this.#taker = taker;
    this.#announcedBytes = lengthBytes;
    this.#requestBytes = REQUEST_BYTES + Math.max(0, headBytes - COVERED_HEAD_BYTES);
  }

  /** Checks what is announced and makes room for it in the name of `holder`; true when the client may send. */
  reserve(holder: string): boolean {
    const { maxBodyBytes, budget } = this.#limits;
    const announced = this.#announcedBytes ?? 0;
    if (announced > maxBodyBytes) {
      this.#taker.onProblem('too-large');
      return false;
    }
    this.#reservation = budget.reserve(this.#bytesFor(announced), holder);
    if (this.#reservation !== undefined) return true;
    this.#taker.onProblem('no-room');
    return false;
  }

  start(): void {
    this.#startedMs = this.#limits.nowMs();
    this.#source.read(this);
    // Most bodies are whole before this turn is over, and need no timer.
    if (!this.#isOver) atTurnEnd(this);
  }

  /** Takes nothing more. What is reserved stays reserved. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#idle);
    this.#source.discard();
  }

  /** Gives the budget back; the bytes must not be needed any more. */
  release(): void {
    this.#reservation?.release();
  }

  onData(chunk: Uint8Array): boolean {
    this.#idle?.refresh();
    const sizeBytes = this.#chunks.sizeBytes + chunk.length;
    if (sizeBytes > this.#limits.maxBodyBytes) return this.#fail('too-large');
    const unreserved = this.#bytesFor(sizeBytes) - (this.#reservation?.bytes ?? 0);
    if (unreserved > 0 && this.#reservation?.grow(unreserved) !== true) return this.#fail('no-room');
    const isHeld = this.#chunks.add(chunk, this.#announcedBytes);
    return this.#isTooSlow(sizeBytes) ? this.#fail('slow') : isHeld;
  }

  onEnd(): void {
    this.stop();
    this.#taker.onBody({ chunks: this.#chunks.take(), sizeBytes: this.#chunks.sizeBytes });
  }

  onTurnEnd(): void {
    if (this.#isOver) return;
    this.#idle = setTimeout(() => this.#fail('idle'), this.#limits.bodyIdleTimeoutMs);
    this.#idle.unref();
  }

  /** What is to be reserved while so much of the body is held. */
  #bytesFor(bodyBytes: number): number {
    return Math.min(bodyBytes + this.#requestBytes, this.#limits.budget.maxBytes);
  }

  #isTooSlow(sizeBytes: number): boolean {
    const { budget, bodyIdleTimeoutMs, nowMs } = this.#limits;
    if (budget.used <= budget.maxBytes * SHORT_SHARE || sizeBytes === this.#announcedBytes) return false;
    const tookMs = nowMs() - this.#startedMs;
    return tookMs > bodyIdleTimeoutMs && sizeBytes < (tookMs / 1000) * SLOW_BYTES_PER_S;
  }

  #fail(problem: BodyProblem): false {
    this.stop();
    this.#chunks.take();
    this.release();
    this.#taker.onProblem(problem);
    return false;
  }
}
