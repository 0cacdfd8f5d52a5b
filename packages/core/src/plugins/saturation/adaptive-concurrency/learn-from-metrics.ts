// SPDX-License-Identifier: Apache-2.0

/**
 * Finds an engine's limit from its own metrics. An engine whose waiting queue is not empty is full, and what it then
 * runs is its capacity: the one reading that says both. Below that the limit grows by an eighth at a time, and only when
 * the engine shows that it runs what it was given; at capacity it is tried one higher now and then, because an engine
 * that is full exactly at our limit looks the same as one with room.
 */

/** Growth of a limit not yet found, as a share of it: what overshoots is at most that share of the engine's slots. */
const GROWTH = 0.125;
/** Readings in a row with a queue before it is believed: a request that has just arrived waits for one engine step. */
const READINGS_TO_BELIEVE = 2;
/** Share of the limit that the engine has to be seen running before more is tried; the rest may be on its way. */
const SEEN_SHARE = 0.7;
/** At this KV use a queue is the memory's doing, and capacity moves with the size of the requests. */
const KV_FULL = 0.85;
/** Below this KV use a capacity that the memory had set no longer holds. */
const KV_FREE = 0.75;
/** First and longest pause between two tries above a known capacity. */
const FIRST_PROBE_MS = 30_000;
const LONGEST_PROBE_MS = 300_000;

/** One reading as the learner needs it. */
export interface FullnessReading {
  readonly running: number;
  readonly waiting: number;
  readonly kvUsage: number | undefined;
  /** The most sequences we had in flight since the reading before. */
  readonly oursPeak: number;
  readonly nowMs: number;
}

export class MetricsLearner {
  readonly #maxLimit: number;
  #limit: number;
  /** What the engine is known to run when it is full. */
  #capacity: number | undefined;
  #kvBound = false;
  #queuedReadings = 0;
  #queuedRunning = 0;
  #probing = false;
  #probePauseMs = FIRST_PROBE_MS;
  #nextProbeMs = 0;

  constructor(startLimit: number, maxLimit: number) {
    this.#limit = startLimit;
    this.#maxLimit = maxLimit;
  }

  get limit(): number {
    return this.#limit;
  }

  /** True while the next reading is worth having soon. */
  get looking(): boolean {
    return this.#capacity === undefined || this.#probing || this.#queuedReadings > 0 || this.#limit < this.#capacity;
  }

  read(reading: FullnessReading): void {
    if (reading.waiting >= 1) this.#full(reading);
    else this.#notFull(reading);
  }

  #full(reading: FullnessReading): void {
    this.#queuedRunning = this.#queuedReadings === 0 ? reading.running : Math.max(this.#queuedRunning, reading.running);
    this.#queuedReadings += 1;
    if (this.#queuedReadings < READINGS_TO_BELIEVE) return;
    this.#capacity = Math.max(1, this.#queuedRunning);
    this.#kvBound = (reading.kvUsage ?? 0) >= KV_FULL;
    // What others than us have in the engine is room we do not have.
    const others = Math.max(0, reading.running + reading.waiting - reading.oursPeak);
    this.#limit = Math.min(this.#maxLimit, Math.max(1, this.#capacity - others));
    if (this.#probing) this.#probePauseMs = Math.min(LONGEST_PROBE_MS, this.#probePauseMs * 2);
    this.#probing = false;
    this.#nextProbeMs = reading.nowMs + this.#probePauseMs;
    this.#queuedReadings = 0;
  }

  #notFull(reading: FullnessReading): void {
    this.#queuedReadings = 0;
    const { running } = reading;
    if (this.#capacity !== undefined && this.#outgrown(reading)) {
      this.#capacity = undefined;
      this.#probing = false;
      this.#probePauseMs = FIRST_PROBE_MS;
    }
    const wanted = reading.oursPeak >= this.#limit && running >= this.#limit * SEEN_SHARE;
    if (!wanted) return;
    if (this.#capacity === undefined) this.#raise(this.#maxLimit);
    else if (this.#limit < this.#capacity) this.#raise(this.#capacity);
    else if (!this.#probing && reading.nowMs >= this.#nextProbeMs) {
      this.#probing = true;
      this.#limit = Math.min(this.#maxLimit, this.#capacity + 1);
    }
  }

  /** It runs more than it could, or the memory that held it back is free again. */
  #outgrown(reading: FullnessReading): boolean {
    if (reading.running > (this.#capacity ?? Infinity)) return true;
    return this.#kvBound && (reading.kvUsage ?? 0) < KV_FREE;
  }

  #raise(most: number): void {
    this.#limit = Math.min(most, this.#limit + Math.max(1, Math.floor(this.#limit * GROWTH)));
  }
}
