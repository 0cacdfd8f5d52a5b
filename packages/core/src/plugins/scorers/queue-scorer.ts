// SPDX-License-Identifier: Apache-2.0

/**
 * Where is the shortest queue? Rates endpoints by the requests waiting in the engine: 1 for the shortest, 0 for the
 * longest, linear between, 1 for all when they are equal. Choose it wherever engines report their queues. The reading is
 * corrected by what was dispatched and finished since, and an endpoint that never told counts like the worst that did:
 * silence is never preferred.
 */

import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Scorer } from '../../scheduling/contracts.ts';

export const queueScorer = definePlugin({
  type: 'queue-scorer',
  kinds: ['scorer'],
  stability: 'beta',
  summary: 'Prefers endpoints with few requests waiting in the engine.',
  parameters: {},
  create: ({ type, name }): Scorer => ({
    type,
    name,
    score: (_request, endpoints, scores) => {
      let least = Infinity;
      let most = -Infinity;
      for (let index = 0; index < endpoints.length; index += 1) {
        const waiting = endpoints[index]?.waitingEstimate() ?? NaN;
        scores[index] = waiting;
        if (waiting < least) least = waiting;
        if (waiting > most) most = waiting;
      }
      const spread = most - least;
      for (let index = 0; index < endpoints.length; index += 1) {
        const waiting = scores[index] as number;
        if (!(spread > 0)) scores[index] = 1;
        else scores[index] = Number.isNaN(waiting) ? 0 : (most - waiting) / spread;
      }
    },
  }),
});
