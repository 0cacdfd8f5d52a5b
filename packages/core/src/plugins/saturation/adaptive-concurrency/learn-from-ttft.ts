// SPDX-License-Identifier: Apache-2.0

/**
 * Finds an engine's limit without metrics, from times to first token: as long as the engine has a free slot the first
 * token takes about the time of the prefill, and as soon as it has none it takes a multiple, the time until somebody
 * else finishes. So the lowest number in flight at which first tokens come late is one above the limit. Times are
 * compared with the shortest seen for prompts of about the same size.
 */

import type { FirstTokenSample } from '../../../flow-control/policies.ts';

/** A first token is late from this multiple of the shortest time, plus the slack below. */
const LATE_FACTOR = 2;
const LATE_SLACK_MS = 20;
/** Late samples before they are believed; one alone is a hiccup. */
const LATE_TO_BELIEVE = 4;
/** Punctual samples at the limit before more is tried. */
const PUNCTUAL_TO_RAISE = 16;
/** At most this share of the limit is taken away at once. */
const LARGEST_CUT = 0.5;
/** The shortest time is forgotten this slowly, so that a faster past does not make the present late for ever. */
const BASELINE_DRIFT = 1.001;
const FIRST_PROBE_MS = 30_000;
const LONGEST_PROBE_MS = 300_000;

export class TtftLearner {
  readonly #maxLimit: number;
  /** Shortest time by the binary logarithm of the prompt's size. */
  readonly #baselineMs = new Map<number, number>();
  #limit: number;
  #late = 0;
  #lowestLate = Infinity;
  #punctualAtLimit = 0;
  #decidedMs = -Infinity;
  #nextRaiseMs = -Infinity;
  #pauseMs = FIRST_PROBE_MS;

  constructor(startLimit: number, maxLimit: number) {
    this.#limit = startLimit;
    this.#maxLimit = maxLimit;
  }

  get limit(): number {
    return this.#limit;
  }

  sample(sample: FirstTokenSample, nowMs: number): void {
    const late = this.#isLate(sample);
    // Dispatched before the last decision: says nothing about the limit since.
    if (nowMs - sample.ttftMs < this.#decidedMs) return;
    // Alone on an engine nobody waits for a slot: whatever made it late is not the limit's doing.
    if (late && sample.inFlightAtDispatch <= 1) return;
    if (late) {
      this.#late += 1;
      this.#lowestLate = Math.min(this.#lowestLate, sample.inFlightAtDispatch);
      if (this.#late >= LATE_TO_BELIEVE) this.#lower(nowMs);
    } else if (sample.inFlightAtDispatch >= this.#limit) {
      this.#punctualAtLimit += 1;
      if (this.#punctualAtLimit >= PUNCTUAL_TO_RAISE && nowMs >= this.#nextRaiseMs) this.#raise(nowMs);
    } else if (sample.inFlightAtDispatch >= this.#lowestLate) {
      // Punctual where others were late: those were not late for want of a slot.
      this.#late = 0;
      this.#lowestLate = Infinity;
    }
  }

  #isLate(sample: FirstTokenSample): boolean {
    const size = Math.ceil(Math.log2(sample.sizeBytes + 1));
    const before = this.#baselineMs.get(size);
    const baselineMs = before === undefined ? sample.ttftMs : Math.min(sample.ttftMs, before * BASELINE_DRIFT);
    this.#baselineMs.set(size, baselineMs);
    return sample.ttftMs > baselineMs * LATE_FACTOR + LATE_SLACK_MS;
  }

  #lower(nowMs: number): void {
    const below = Math.max(1, this.#lowestLate - 1);
    if (below < this.#limit) this.#limit = Math.max(below, Math.ceil(this.#limit * LARGEST_CUT));
    this.#nextRaiseMs = nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(LONGEST_PROBE_MS, this.#pauseMs * 2);
    this.#restart(nowMs);
  }

  #raise(nowMs: number): void {
    this.#limit = Math.min(this.#maxLimit, this.#limit + 1);
    this.#restart(nowMs);
  }

  #restart(nowMs: number): void {
    this.#decidedMs = nowMs;
    this.#late = 0;
    this.#lowestLate = Infinity;
    this.#punctualAtLimit = 0;
  }
}
