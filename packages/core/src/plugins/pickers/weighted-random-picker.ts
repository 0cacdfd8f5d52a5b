// SPDX-License-Identifier: Apache-2.0

/**
 * Which of the rated endpoints? Any with a score, with chances in proportion to their scores; all with the same when none
 * has one. Choose it where several replicas of this gateway that cannot see each other would crowd the momentary best.
 * It is the sampling of Efraimidis and Spirakis (2006), A-Res: the largest U^(1/score) win, which also draws several
 * without putting any back; here by their logarithms, which do not run out of digits.
 */

import type { Random } from '../../clock.ts';
import type { Endpoint } from '../../endpoints/endpoint.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Picker } from '../../scheduling/contracts.ts';
import { maxNumOfEndpoints } from './max-num-of-endpoints.ts';
import { shuffled } from './shuffled.ts';

/** ln U ÷ score, for a U in (0, 1]: what has no score comes after all that have one. */
function keyOf(score: number, random: Random): number {
  return score > 0 ? Math.log(1 - random()) / score : -Infinity;
}

function drawOne(endpoints: readonly Endpoint[], scores: Float64Array, random: Random): Endpoint[] {
  let choice = -1;
  let most = -Infinity;
  for (let index = 0; index < endpoints.length; index += 1) {
    const key = keyOf(scores[index] as number, random);
    if (key <= most) continue;
    choice = index;
    most = key;
  }
  if (choice < 0) choice = Math.floor(random() * endpoints.length);
  return [endpoints[choice] as Endpoint];
}

function draw(
  count: number,
  candidates: { endpoints: readonly Endpoint[]; scores: Float64Array; random: Random },
): Endpoint[] {
  const { endpoints, scores, random } = candidates;
  const keyed = endpoints.map((endpoint, index) => ({ endpoint, key: keyOf(scores[index] as number, random) }));
  // Sorting is stable, so those without a score stay as shuffled.
  const order = shuffled(keyed, random).sort((a, b) => Number(b.key > a.key) - Number(b.key < a.key));
  return order.slice(0, count).map(({ endpoint }) => endpoint);
}

export const weightedRandomPicker = definePlugin({
  type: 'weighted-random-picker',
  kinds: ['picker'],
  stability: 'beta',
  summary: 'Picks endpoints by chance, in proportion to their scores.',
  parameters: { maxNumOfEndpoints },
  create: ({ type, name, parameters: { maxNumOfEndpoints: count }, random }): Picker => ({
    type,
    name,
    pick: (endpoints, scores) =>
      count === 1 ? drawOne(endpoints, scores, random) : draw(count, { endpoints, scores, random }),
  }),
});
