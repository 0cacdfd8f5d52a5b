// SPDX-License-Identifier: Apache-2.0

/**
 * Which of the rated endpoints? The best, and by chance among equals, so that replicas of this gateway do not all run to
 * the same one. Choose it unless several replicas that cannot see each other crowd the momentary best.
 */

import type { Random } from '../../clock.ts';
import type { Endpoint } from '../../endpoints/endpoint.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Picker } from '../../scheduling/contracts.ts';
import { maxNumOfEndpoints } from './max-num-of-endpoints.ts';
import { shuffled } from './shuffled.ts';

/** One pass and one endpoint: the k-th of equals replaces the choice with a chance of 1 in k. */
function best(endpoints: readonly Endpoint[], scores: Float64Array, random: Random): Endpoint[] {
  let choice = 0;
  let ties = 1;
  for (let index = 1; index < endpoints.length; index += 1) {
    const difference = (scores[index] as number) - (scores[choice] as number);
    if (difference > 0) {
      choice = index;
      ties = 1;
    } else if (difference === 0) {
      ties += 1;
      if (random() * ties < 1) choice = index;
    }
  }
  return [endpoints[choice] as Endpoint];
}

function bestOf(
  count: number,
  candidates: { endpoints: readonly Endpoint[]; scores: Float64Array; random: Random },
): Endpoint[] {
  const { endpoints, scores, random } = candidates;
  // Sorting is stable, so equals stay as shuffled.
  const order = shuffled([...endpoints.keys()], random).sort((a, b) => (scores[b] as number) - (scores[a] as number));
  return order.slice(0, count).map((index) => endpoints[index] as Endpoint);
}

export const maxScorePicker = definePlugin({
  type: 'max-score-picker',
  kinds: ['picker'],
  stability: 'beta',
  summary: 'Picks the endpoint with the highest score; ties are broken by chance.',
  parameters: { maxNumOfEndpoints },
  create: ({ type, name, parameters: { maxNumOfEndpoints: count }, random }): Picker => ({
    type,
    name,
    pick: (endpoints, scores) =>
      count === 1 ? best(endpoints, scores, random) : bestOf(count, { endpoints, scores, random }),
  }),
});
