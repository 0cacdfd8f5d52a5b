// SPDX-License-Identifier: Apache-2.0

/**
 * Which of the endpoints? Any, with equal chances and whatever their scores. Choose it to compare others against, or
 * when filters alone decide.
 */

import type { Endpoint } from '../../endpoints/endpoint.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Picker } from '../../scheduling/contracts.ts';
import { maxNumOfEndpoints } from './max-num-of-endpoints.ts';
import { shuffled } from './shuffled.ts';

export const randomPicker = definePlugin({
  type: 'random-picker',
  kinds: ['picker'],
  stability: 'beta',
  summary: 'Picks endpoints by chance, all with the same.',
  parameters: { maxNumOfEndpoints },
  create: ({ type, name, parameters: { maxNumOfEndpoints: count }, random }): Picker => ({
    type,
    name,
    pick: (endpoints) => {
      if (count > 1) return shuffled([...endpoints], random).slice(0, count);
      return [endpoints[Math.floor(random() * endpoints.length)] as Endpoint];
    },
  }),
});
