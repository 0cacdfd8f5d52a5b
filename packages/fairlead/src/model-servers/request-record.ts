// SPDX-License-Identifier: Apache-2.0

/**
 * What the requests of one endpoint came to of late: failures in a row, the share of failures within a window, and how
 * long first bytes took. Numbers only; a window is two halves, the older of which is dropped as a whole.
 */

/** First bytes that are kept; and as many are needed before their median means anything. */
const KEPT_FIRST_BYTES = 32;
export const ENOUGH_FIRST_BYTES = 10;

export class RequestRecord {
  #halfBeganMs = -Infinity;
  #recent = { requests: 0, failures: 0 };
  #older = { requests: 0, failures: 0 };
  #inARow = 0;
  readonly #firstBytesMs: number[] = [];
  #nextFirstByte = 0;
  #median: number | undefined;

  /** Failures since a request was answered. */
  get failuresInARow(): number {
    return this.#inARow;
  }

  /** `windowMs` is the length of the window, the same for `counts`. */
  note(isFailure: boolean, nowMs: number, windowMs: number): void {
    this.#turn(nowMs, windowMs);
    this.#recent.requests += 1;
    if (isFailure) this.#recent.failures += 1;
    this.#inARow = isFailure ? this.#inARow + 1 : 0;
  }

  noteFirstByte(ms: number): void {
    this.#firstBytesMs[this.#nextFirstByte] = ms;
    this.#nextFirstByte = (this.#nextFirstByte + 1) % KEPT_FIRST_BYTES;
    this.#median = undefined;
  }

  /** Requests and failures within the window, which is between half and all of its length. */
  counts(nowMs: number, windowMs: number): { readonly requests: number; readonly failures: number } {
    this.#turn(nowMs, windowMs);
    return {
      requests: this.#recent.requests + this.#older.requests,
      failures: this.#recent.failures + this.#older.failures,
    };
  }

  /** Median time to the first byte; undefined while there are too few. */
  get firstByteMs(): number | undefined {
    if (this.#firstBytesMs.length < ENOUGH_FIRST_BYTES) return undefined;
    this.#median ??= median(this.#firstBytesMs);
    return this.#median;
  }

  /** Forgets everything: what comes next is another life. */
  clear(): void {
    this.#recent = { requests: 0, failures: 0 };
    this.#older = { requests: 0, failures: 0 };
    this.#inARow = 0;
    this.#firstBytesMs.length = 0;
    this.#nextFirstByte = 0;
    this.#median = undefined;
  }

  #turn(nowMs: number, windowMs: number): void {
    const halfMs = windowMs / 2;
    const ageMs = nowMs - this.#halfBeganMs;
    if (ageMs < halfMs) return;
    this.#older = ageMs < 2 * halfMs ? this.#recent : { requests: 0, failures: 0 };
    this.#recent = { requests: 0, failures: 0 };
    this.#halfBeganMs = nowMs;
  }
}

/** Of an even number, the lower of the two in the middle; undefined of none. */
export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
