// SPDX-License-Identifier: Apache-2.0

/**
 * What part of all that is dispatched goes to each band these days: what its cost has grown by since a mark that is half
 * a minute to a minute old, while anything is dispatched.
 */

const WINDOW_MS = 30_000;

/** A band as far as this is concerned. */
export interface Costly {
  /** What its requests have cost so far. */
  readonly cost: number;
  /** What that was when this window began, and when the one before did. */
  costMark: number;
  costMarkBefore: number;
}

export class RecentShares {
  #endMs = -Infinity;

  /** To be called whenever time has passed. */
  note(bands: readonly Costly[], nowMs: number): void {
    if (nowMs < this.#endMs) return;
    this.#endMs = nowMs + WINDOW_MS;
    for (const band of bands) {
      band.costMarkBefore = band.costMark;
      band.costMark = band.cost;
    }
  }

  /** Of the band among all; 0 when nothing was dispatched. */
  of(band: Costly, bands: readonly Costly[]): number {
    const total = bands.reduce((sum, each) => sum + recentCost(each), 0);
    return total > 0 ? recentCost(band) / total : 0;
  }
}

/** What was given back of earlier windows does not count against this one. */
function recentCost({ cost, costMarkBefore }: Costly): number {
  return Math.max(0, cost - costMarkBefore);
}
