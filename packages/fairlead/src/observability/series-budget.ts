// SPDX-License-Identifier: Apache-2.0

/**
 * How many series the page may have in all. Tenants come from outside, and every one costs a handful of plain series and,
 * in full detail, some two hundred histogram lines; without a limit on the sum, a crowd of tenants makes each scrape
 * stall the event loop and the monitoring system drop the page. Histograms may take half, so that however detailed the
 * first tenants are, the later ones still get their counters.
 */
export class SeriesBudget {
  /** Lines on the page at most, apart from those under `other`. */
  readonly max: number;
  /** Lines that the operator's own pools, bands and endpoints took when the page was last made: they come first. */
  reserved = 0;
  /** Label sets that had to be counted under `other`. */
  dropped = 0;
  #plain = 0;
  #histogram = 0;

  /** @throws RangeError unless `max` is a positive integer. */
  constructor(max: number) {
    if (!Number.isSafeInteger(max) || max < 1)
      throw new RangeError(`maxSeries must be an integer of at least 1, got ${max}`);
    this.max = max;
  }

  get used(): number {
    return this.#plain + this.#histogram;
  }

  takePlain(lines: number): boolean {
    if (this.#fits(lines)) {
      this.#plain += lines;
      return true;
    }
    this.dropped += 1;
    return false;
  }

  takeHistogram(lines: number): boolean {
    if (this.#fits(lines) && this.#histogram + lines <= this.max / 2) {
      this.#histogram += lines;
      return true;
    }
    this.dropped += 1;
    return false;
  }

  givePlain(lines: number): void {
    this.#plain -= lines;
  }

  giveHistogram(lines: number): void {
    this.#histogram -= lines;
  }

  #fits(lines: number): boolean {
    return this.reserved + this.used + lines <= this.max;
  }
}
