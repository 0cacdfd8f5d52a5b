// SPDX-License-Identifier: Apache-2.0

/**
 * Percentiles by nearest rank: always a value that was measured, never one between two of them.
 */

/** The three that are reported. Null when nothing was measured. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

/**
 * The smallest of `sorted` (ascending) that at least `share` (0 to 1) of them do not exceed; undefined for an empty
 * list.
 */
export function nearestRank(sorted: readonly number[], share: number): number | undefined {
  // 0.99 × 100 is a hair more than 99 in binary.
  const rank = Math.ceil(share * sorted.length - 1e-9);
  return sorted[Math.max(0, rank - 1)];
}

/** The reported percentiles of `values`, which may be in any order. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number | null => nearestRank(sorted, share) ?? null;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
