// SPDX-License-Identifier: Apache-2.0

/**
 * How even some amounts are: 1 when all are the same, 1 ÷ n when one has everything; 1 for none at all. For service by
 * weight, divide by the weights first (Jain, Chiu and Hawe, A Quantitative Measure of Fairness, DEC TR-301, 1984).
 */
export function jainIndex(amounts: readonly number[]): number {
  const sum = amounts.reduce((total, amount) => total + amount, 0);
  const squares = amounts.reduce((total, amount) => total + amount * amount, 0);
  return squares === 0 ? 1 : (sum * sum) / (amounts.length * squares);
}
