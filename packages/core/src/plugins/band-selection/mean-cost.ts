// SPDX-License-Identifier: Apache-2.0

/** How much of what it missed a band that cannot be served keeps: what it would have had of so many dispatches. */
export const KEPT_DISPATCHES = 1_000;

/** One dispatch in how many counts fully in the mean. */
const SPAN = 64;

/** What a dispatch costs these days. */
export class MeanCost {
  #cost: number | undefined;

  /** 0 before the first. */
  get cost(): number {
    return this.#cost ?? 0;
  }

  note(cost: number): void {
    this.#cost = this.#cost === undefined ? cost : this.#cost + (cost - this.#cost) / SPAN;
  }
}
