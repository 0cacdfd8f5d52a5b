// SPDX-License-Identifier: Apache-2.0

/**
 * One histogram series as plain numbers: an observation is a short search and two additions, with nothing allocated.
 * Buckets are kept apart and summed up when the page is made.
 */

export type Labels = Readonly<Record<string, string>>;

export class Tally {
  readonly labels: Labels;
  readonly bounds: readonly number[];
  /** Observations per bucket; the last is beyond every bound. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Lines this series takes on the page: a bucket each, +Inf, sum and count. */
  static lines(bounds: readonly number[]): number {
    return bounds.length + 3;
  }

  /** Counts `value`; what is not a number, or negative, is left out. */
  observe(value: number): void {
    if (!(value >= 0)) return;
    const { bounds } = this;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((bounds[middle] ?? Infinity) < value) low = middle + 1;
      else high = middle;
    }
    this.counts[low] = (this.counts[low] ?? 0) + 1;
    this.sum += value;
    this.count += 1;
  }
}
