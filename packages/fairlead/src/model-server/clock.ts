// SPDX-License-Identifier: Apache-2.0

/**
 * The only two things the engine wants of time, so that tests can replay minutes of decoding in a millisecond.
 */

/** A monotonic clock with one-shot timers. */
export interface Clock {
  /** Milliseconds since some fixed point; never goes back. */
  nowMs(): number;
  /** Calls back once after `delayMs` (0 = as soon as possible); the result cancels it. */
  setTimer(delayMs: number, callback: () => void): () => void;
}

/**
 * The process's own clock. Timers may be a millisecond late, and much later on a busy core: whoever sets one
 * computes from `nowMs` what has become due.
 */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, Math.ceil(delayMs));
    return () => clearTimeout(timer);
  },
};
