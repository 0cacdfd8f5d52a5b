// SPDX-License-Identifier: Apache-2.0

/**
 * Where does the engine run least? Rates endpoints by the requests the engine is running: 1 for the fewest, 0 for the
 * most, linear between, 1 for all when they are equal. Choose it beside queue-scorer where engines rarely queue, so that
 * their queues do not tell them apart. The reading is corrected by what was dispatched and finished since, and an
 * endpoint that never told counts like the worst that did: silence is never preferred.
 */

import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Scorer } from '../../scheduling/contracts.ts';
import { rateFewestFirst } from './fewest-first.ts';

export const runningRequestsSizeScorer = definePlugin({
  type: 'running-requests-size-scorer',
  kinds: ['scorer'],
  stability: 'beta',
  summary: 'Prefers endpoints with few requests running in the engine.',
  parameters: {},
  create: ({ type, name }): Scorer => ({
    type,
    name,
    score: (_request, endpoints, scores) => {
      rateFewestFirst(endpoints, scores, (endpoint) => endpoint.runningEstimate());
    },
  }),
});
