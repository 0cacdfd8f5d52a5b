// SPDX-License-Identifier: Apache-2.0

/**
 * One alarm for everything in a controller that is due by itself: expiries, idle flows, refilled buckets. It is only
 * ever set earlier; one that comes too early finds nothing to do, which is cheaper than to set it anew with each change.
 */

import type { Alarm, Clock } from '../clock.ts';

export class NextAlarm {
  readonly #clock: Clock;
  readonly #callback: () => void;
  readonly #ring = (): void => {
    this.#alarm = undefined;
    this.#timeMs = Infinity;
    this.#callback();
  };
  #alarm: Alarm | undefined;
  #timeMs = Infinity;

  constructor(clock: Clock, callback: () => void) {
    this.#clock = clock;
    this.#callback = callback;
  }

  /** Rings at `timeMs` at the latest; never for Infinity. */
  arm(timeMs: number): void {
    if (timeMs >= this.#timeMs) return;
    this.#alarm?.cancel();
    this.#timeMs = timeMs;
    this.#alarm = this.#clock.at(timeMs, this.#ring);
  }

  /** It never rings again. */
  stop(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    // Nothing is earlier.
    this.#timeMs = -Infinity;
  }
}
