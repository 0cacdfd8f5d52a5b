// SPDX-License-Identifier: Apache-2.0

/**
 * Where is least under way from here? Rates endpoints by their requests in flight: 1 at or below `idleThreshold`, the
 * others `maxBusyScore` × (most − own) ÷ most, so that the busiest gets 0. Choose it always: it needs no metrics and is
 * exact in the turn in which it is asked, so it keeps a burst from landing on one endpoint.
 */

import type { Endpoint } from '../../endpoints/endpoint.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Scorer } from '../../scheduling/contracts.ts';
import { checkLoadProducer, inFlightLoadProducerName } from '../producers/load-producer-name.ts';

export const activeRequestScorer = definePlugin({
  type: 'active-request-scorer',
  kinds: ['scorer'],
  stability: 'beta',
  summary: 'Prefers endpoints with few requests in flight from here.',
  parameters: {
    idleThreshold: {
      type: 'integer',
      default: 0,
      min: 0,
      doc: 'Requests in flight up to which an endpoint counts as idle.',
    },
    maxBusyScore: {
      type: 'number',
      default: 1,
      min: 0,
      max: 1,
      doc: 'The score that an endpoint just busier than idle approaches.',
    },
    requestTimeout: {
      type: 'duration',
      doc: 'Deprecated in the reference and without effect: what is in flight is known here.',
    },
    inFlightLoadProducerName,
  },
  create: ({ type, name, parameters, handle }): Scorer => {
    const { idleThreshold, maxBusyScore } = parameters;
    checkLoadProducer(parameters.inFlightLoadProducerName, handle);
    return {
      type,
      name,
      score: (_request, endpoints, scores) => {
        let most = 0;
        for (const endpoint of endpoints) most = Math.max(most, endpoint.requestsInFlight);
        for (let index = 0; index < endpoints.length; index += 1) {
          const { requestsInFlight } = endpoints[index] as Endpoint;
          const isIdle = requestsInFlight <= idleThreshold;
          scores[index] = isIdle ? 1 : (maxBusyScore * (most - requestsInFlight)) / most;
        }
      },
    };
  },
});
