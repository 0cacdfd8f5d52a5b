// SPDX-License-Identifier: Apache-2.0

/**
 * The only way time enters the core. Production passes a monotonic clock with real timers, tests and simulations a
 * virtual one, so that the same seed replays to the same events.
 */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. */
  now(): number;
  /** Runs `callback` once the current burst of work is over (a microtask in production). */
  soon(callback: () => void): void;
  /** Runs `callback` at or soon after `timeMs`. */
  at(timeMs: number, callback: () => void): Alarm;
}

/** A pending `Clock.at`. */
export interface Alarm {
  cancel(): void;
}

/** A source of numbers in [0, 1): the only way randomness enters the core. */
export type Random = () => number;
