// SPDX-License-Identifier: Apache-2.0

/**
 * Where was this session before? Rates the endpoint that a session is bound to 1 and the others 0. Choose it where a
 * client says itself what belongs together, and prefix-cache-scorer cannot see it: state beside the prompt, or prompts
 * that are edited at their beginning. A preference, not a promise: other scorers may outweigh it, and an endpoint without
 * room is not waited for. `session_id` remembers 65 536 sessions, each for a tenant and a model.
 */

import type { Endpoint } from '../../endpoints/endpoint.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Producer, Scorer } from '../../scheduling/contracts.ts';
import { sessionBinding, sessionParameters } from '../sessions/session-binding.ts';

export const sessionAffinityScorer = definePlugin({
  type: 'session-affinity-scorer',
  kinds: ['scorer'],
  stability: 'alpha',
  summary: "Prefers the endpoint that answered the session's last request.",
  parameters: sessionParameters,
  create: ({ type, name, parameters }): Scorer & Producer => {
    const { isBound, ...hooks } = sessionBinding(parameters);
    return {
      type,
      name,
      ...hooks,
      score: (request, endpoints, scores) => {
        for (let index = 0; index < endpoints.length; index += 1) {
          scores[index] = isBound(request, endpoints[index] as Endpoint) ? 1 : 0;
        }
      },
    };
  },
});
