// SPDX-License-Identifier: Apache-2.0

/**
 * Lets the first few of a kind through in each second and counts the rest, so that a flood of refusals costs a line of
 * log a second and not one each.
 */

const WINDOW_MS = 1_000;

export class FloodLimit {
  readonly #perWindow: number;
  #windowStartMs = -Infinity;
  #passed = 0;
  #heldBack = 0;

  constructor(perSecond: number) {
    this.#perWindow = perSecond;
  }

  /** How many were held back and not taken yet. */
  get heldBack(): number {
    return this.#heldBack;
  }

  /** Whether this one may pass. */
  passes(nowMs: number): boolean {
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#passed = 0;
    }
    if (this.#passed < this.#perWindow) {
      this.#passed += 1;
      return true;
    }
    this.#heldBack += 1;
    return false;
  }

  /** How many were held back, once their second is over (or `nowMs` is Infinity); then 0 until there are more. */
  takeHeldBack(nowMs: number): number {
    if (nowMs - this.#windowStartMs < WINDOW_MS) return 0;
    const heldBack = this.#heldBack;
    this.#heldBack = 0;
    return heldBack;
  }
}
