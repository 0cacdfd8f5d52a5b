// SPDX-License-Identifier: Apache-2.0

/** The rating that scorers share which prefer small numbers of something. */

import type { Endpoint } from '../../endpoints/endpoint.ts';

/**
 * Writes 1 for the smallest count, 0 for the largest, what is linear between for the others, and 1 for all when they are
 * equal. An unknown count is taken for the largest: silence is never preferred.
 */
export function rateFewestFirst(
  endpoints: readonly Endpoint[],
  scores: Float64Array,
  countOf: (endpoint: Endpoint) => number | undefined,
): void {
  let least = Infinity;
  let most = -Infinity;
  for (let index = 0; index < endpoints.length; index += 1) {
    const count = countOf(endpoints[index] as Endpoint) ?? NaN;
    scores[index] = count;
    if (count < least) least = count;
    if (count > most) most = count;
  }
  const spread = most - least;
  for (let index = 0; index < endpoints.length; index += 1) {
    const count = scores[index] as number;
    if (!(spread > 0)) scores[index] = 1;
    else scores[index] = Number.isNaN(count) ? 0 : (most - count) / spread;
  }
}
