// SPDX-License-Identifier: Apache-2.0

/**
 * Two arrays as long as the list of candidates, one scorer's scores and the weighted sums, kept from one request to the
 * next. Lengths change all the time, with who has room, so the views of each length are kept too.
 */
export class ScoreBuffers {
  #ownMemory = new Float64Array(16);
  #sumsMemory = new Float64Array(16);
  #views: ({ readonly own: Float64Array; readonly sums: Float64Array } | undefined)[] = [];
  #own: Float64Array = this.#ownMemory;
  #sums: Float64Array = this.#sumsMemory;

  /** One scorer's scores. */
  get own(): Float64Array {
    return this.#own;
  }

  /** Prepares for `length` candidates; returns the sums, all zero. */
  use(length: number): Float64Array {
    if (length > this.#sumsMemory.length) {
      const size = 2 ** Math.ceil(Math.log2(length));
      this.#ownMemory = new Float64Array(size);
      this.#sumsMemory = new Float64Array(size);
      this.#views = [];
    }
    const view = (this.#views[length] ??= {
      own: this.#ownMemory.subarray(0, length),
      sums: this.#sumsMemory.subarray(0, length),
    });
    this.#own = view.own;
    this.#sums = view.sums;
    this.#sums.fill(0);
    return this.#sums;
  }

  /** Adds the one scorer's scores to the sums: clamped to [0, 1], NaN as 0, times its weight. */
  add(weight: number): void {
    const own = this.#own;
    const sums = this.#sums;
    for (let index = 0; index < sums.length; index += 1) {
      const score = own[index] as number;
      const clamped = score > 0 ? Math.min(score, 1) : 0;
      own[index] = clamped;
      sums[index] = (sums[index] as number) + clamped * weight;
    }
  }
}
