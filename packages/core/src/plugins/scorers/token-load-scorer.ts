// SPDX-License-Identifier: Apache-2.0

/**
 * Where are the fewest tokens under way from here? Rates an endpoint 1 − tokens in flight ÷ `queueThresholdTokens`, not below
 * 0; one with nothing in flight gets 1. Choose it beside or instead of active-request-scorer where some prompts are a
 * hundred times as long as others: two endpoints with one request each may be far from equally busy. What a request counts
 * for is estimated at its dispatch (inflight-load-producer) and exact from then on. Bound: beyond the threshold all are
 * alike, so set it near what an endpoint holds.
 */

import type { Endpoint } from '../../endpoints/endpoint.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Scorer } from '../../scheduling/contracts.ts';
import { checkLoadProducer, inFlightLoadProducerName } from '../producers/load-producer-name.ts';

export const tokenLoadScorer = definePlugin({
  type: 'token-load-scorer',
  kinds: ['scorer'],
  stability: 'beta',
  summary: 'Prefers endpoints with few tokens in flight from here.',
  parameters: {
    queueThresholdTokens: {
      type: 'integer',
      default: 4_194_304,
      min: 1,
      doc: 'Tokens in flight from which on an endpoint gets 0.',
    },
    inFlightLoadProducerName,
  },
  create: ({ type, name, parameters, handle }): Scorer => {
    const { queueThresholdTokens } = parameters;
    checkLoadProducer(parameters.inFlightLoadProducerName, handle);
    return {
      type,
      name,
      score: (_request, endpoints, scores) => {
        for (let index = 0; index < endpoints.length; index += 1) {
          const { tokensInFlight } = endpoints[index] as Endpoint;
          scores[index] = Math.max(0, 1 - tokensInFlight / queueThresholdTokens);
        }
      },
    };
  },
});
