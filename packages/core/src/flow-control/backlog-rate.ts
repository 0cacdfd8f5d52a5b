// SPDX-License-Identifier: Apache-2.0

/** A window is closed by time and by number, so that a slow drain is measured over as many events as a quick one. */
const WINDOW_MS = 2_000;
const WINDOW_EVENTS = 16;
const LONGEST_WINDOW_MS = 30_000;
/** Fewer than these say nothing of a rate, nor does less time. */
const LEAST_EVENTS = 4;
const LEAST_MS = 1_000;

/**
 * How fast a queue gets shorter at its front, measured only while something waits in it: what goes straight through an
 * empty queue says how much was asked for, not how much can be served. The answer errs on the fast side, because people
 * are refused by it: the faster of the last two windows, and what was counted with its own uncertainty on top (for a
 * count n, one standard deviation √n).
 */
export class BacklogRate {
  #sinceMs: number;
  #count = 0;
  /** Of the window before; 0 for none. */
  #beforePerMs = 0;

  constructor(nowMs = 0) {
    this.#sinceMs = Math.ceil(nowMs);
  }

  /** The queue was empty until now, or what was measured does not count any more. */
  begin(nowMs: number): void {
    this.#sinceMs = Math.ceil(nowMs);
    this.#count = 0;
    this.#beforePerMs = 0;
  }

  /** One has left the queue. */
  note(nowMs: number): void {
    this.#count += 1;
    const tookMs = nowMs - this.#sinceMs;
    if (tookMs < WINDOW_MS || (this.#count < WINDOW_EVENTS && tookMs < LONGEST_WINDOW_MS)) return;
    this.#beforePerMs = this.#perMs(tookMs);
    this.#sinceMs = Math.ceil(nowMs);
    this.#count = 0;
  }

  /** Requests a millisecond; undefined while nothing is known. */
  perMs(nowMs: number): number | undefined {
    const tookMs = nowMs - this.#sinceMs;
    const isKnown = tookMs >= LEAST_MS && this.#count >= LEAST_EVENTS;
    const perMs = Math.max(this.#beforePerMs, isKnown ? this.#perMs(tookMs) : 0);
    return perMs === 0 ? undefined : perMs;
  }

  #perMs(tookMs: number): number {
    return (this.#count + Math.sqrt(this.#count)) / tookMs;
  }
}
