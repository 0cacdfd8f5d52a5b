// SPDX-License-Identifier: Apache-2.0

/**
 * Where is the most free KV cache? Rates endpoints by 1 − KV use. Choose it where prompts are long enough that memory,
 * not slots, is what runs out. An endpoint that does not tell counts like the worst that does; when none tells, all are 1.
 */

import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Scorer } from '../../scheduling/contracts.ts';

export const kvCacheUtilizationScorer = definePlugin({
  type: 'kv-cache-utilization-scorer',
  kinds: ['scorer'],
  stability: 'beta',
  summary: 'Prefers endpoints with much free KV cache.',
  parameters: {},
  create: ({ type, name }): Scorer => ({
    type,
    name,
    score: (_request, endpoints, scores) => {
      let worst = 1;
      for (let index = 0; index < endpoints.length; index += 1) {
        const score = 1 - (endpoints[index]?.metrics?.kvUsage ?? NaN);
        scores[index] = score;
        if (score < worst) worst = score;
      }
      for (let index = 0; index < endpoints.length; index += 1) {
        if (Number.isNaN(scores[index])) scores[index] = worst;
      }
    },
  }),
});
