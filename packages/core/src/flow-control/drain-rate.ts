// SPDX-License-Identifier: Apache-2.0

/** Slices of one second that the rate is averaged over. */
const SLICES = 10;
const SLICE_MS = 1000;
/** The range of what a refused client is told: never a hot loop, never longer than it would believe. */
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 60_000;

/**
 * How fast requests leave the queue, measured over the last ten seconds, and from it the honest answer to «when should I
 * come back?»: what waits ÷ how fast it drains (q/μ, the hint of the IETF's SIP overload control).
 */
export class DrainRate {
  readonly #counts = new Float64Array(SLICES);
  #slice = 0;
  #firstSlice: number | undefined;

  /** One request was dispatched. */
  note(nowMs: number): void {
    this.#advance(nowMs);
    this.#firstSlice ??= this.#slice;
    const index = this.#slice % SLICES;
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  /** Dispatches per second. */
  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    let sum = 0;
    for (const count of this.#counts) sum += count;
    const sinceFirst = this.#firstSlice === undefined ? SLICES : this.#slice - this.#firstSlice + 1;
    return sum / Math.min(SLICES, sinceFirst);
  }

  /** Milliseconds, 100 to 60 000, after which `waiting` requests should have left; 60 000 when nothing leaves. */
  retryAfterMs(waiting: number, nowMs: number): number {
    if (waiting === 0) return MIN_RETRY_MS;
    const rate = this.perSecond(nowMs);
    if (rate === 0) return MAX_RETRY_MS;
    return Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, Math.ceil((1000 * waiting) / rate)));
  }

  #advance(nowMs: number): void {
    const slice = Math.floor(nowMs / SLICE_MS);
    if (slice <= this.#slice) return;
    if (slice - this.#slice >= SLICES) this.#counts.fill(0);
    else for (let next = this.#slice + 1; next <= slice; next += 1) this.#counts[next % SLICES] = 0;
    this.#slice = slice;
  }
}
