// SPDX-License-Identifier: Apache-2.0

/**
 * The oracle of fairness: who should get how much. Capacity is poured evenly, by weight, until a claimant has what it
 * asked for; what it leaves is poured over the others (weighted max-min fairness, Bertsekas and Gallager, Data Networks,
 * 6.5.2, by progressive filling).
 */

export interface Claimant {
  /** What it could use; Infinity for as much as there is. */
  readonly demand: number;
  /** Positive. */
  readonly weight: number;
}

/** What each claimant should get of `capacity`, in their order and in the unit of both. */
export function maxMinShare(capacity: number, claimants: readonly Claimant[]): number[] {
  const shares = claimants.map(() => 0);
  const level = (index: number): number => claimants[index]!.demand / claimants[index]!.weight;
  // Who is satisfied first is poured first: all that follow then share what is left.
  const order = [...claimants.keys()].sort((a, b) => level(a) - level(b) || a - b);
  let left = capacity;
  let weightLeft = claimants.reduce((sum, { weight }) => sum + weight, 0);
  for (const index of order) {
    const { demand, weight } = claimants[index]!;
    const share = Math.min(demand, (left * weight) / weightLeft);
    shares[index] = share;
    left -= share;
    weightLeft -= weight;
  }
  return shares;
}
