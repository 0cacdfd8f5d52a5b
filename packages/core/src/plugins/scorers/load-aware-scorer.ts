// SPDX-License-Identifier: Apache-2.0

/**
 * Where is a queue short enough? Rates an endpoint with nothing waiting in the engine 0.5, the others
 * 0.5 × (1 − waiting ÷ `threshold`), not below 0. Choose it instead of queue-scorer when a short queue should count little
 * and only a long one much: it looks at each endpoint by itself and not at the shortest. The reading is corrected by what
 * was dispatched and finished since, and an endpoint that never told counts like the worst that did.
 */

import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Scorer } from '../../scheduling/contracts.ts';

/** The score of an empty queue. */
const EMPTY_QUEUE = 0.5;

export const loadAwareScorer = definePlugin({
  type: 'load-aware-scorer',
  kinds: ['scorer'],
  stability: 'beta',
  summary: 'Prefers endpoints whose engine has a queue far below a threshold.',
  parameters: {
    threshold: {
      type: 'integer',
      default: 128,
      min: 1,
      doc: 'Requests waiting in the engine from which on an endpoint gets 0.',
    },
  },
  create: ({ type, name, parameters: { threshold } }): Scorer => ({
    type,
    name,
    score: (_request, endpoints, scores) => {
      let worst = EMPTY_QUEUE;
      for (let index = 0; index < endpoints.length; index += 1) {
        const waiting = endpoints[index]?.waitingEstimate() ?? NaN;
        const score = Math.max(0, EMPTY_QUEUE * (1 - waiting / threshold));
        scores[index] = score;
        if (score < worst) worst = score;
      }
      for (let index = 0; index < endpoints.length; index += 1) {
        if (Number.isNaN(scores[index])) scores[index] = worst;
      }
    },
  }),
});
