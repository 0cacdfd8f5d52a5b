// SPDX-License-Identifier: Apache-2.0

/**
 * Where is the shortest queue? Rates endpoints by the requests waiting in the engine: 1 for the shortest, 0 for the
 * longest, linear between, 1 for all when they are equal. Choose it wherever engines report their queues. The reading is
 * corrected by what was dispatched and finished since, and an endpoint that never told counts like the worst that did:
 * silence is never preferred.
 */

import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Scorer } from '../../scheduling/contracts.ts';
import { rateFewestFirst } from './fewest-first.ts';

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
      rateFewestFirst(endpoints, scores, (endpoint) => endpoint.waitingEstimate());
    },
  }),
});
