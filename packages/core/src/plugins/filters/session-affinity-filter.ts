// SPDX-License-Identifier: Apache-2.0

/**
 * Which endpoint may get a session's next request? Only the one it is bound to, while that is up and has room; otherwise
 * all, and the session moves to the one that is chosen. Choose it instead of session-affinity-scorer where moving a
 * session costs more than an uneven load. `session_id` remembers 65 536 sessions, each for a tenant and a model.
 */

import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Filter, Producer } from '../../scheduling/contracts.ts';
import { sessionBinding, sessionParameters } from '../sessions/session-binding.ts';

export const sessionAffinityFilter = definePlugin({
  type: 'session-affinity-filter',
  kinds: ['filter'],
  stability: 'alpha',
  summary: "Keeps the endpoint that answered the session's last request, if it has room.",
  parameters: sessionParameters,
  create: ({ type, name, parameters }): Filter & Producer => {
    const { isBound, ...hooks } = sessionBinding(parameters);
    return {
      type,
      name,
      ...hooks,
      filter: (request, endpoints) => {
        const bound = endpoints.find((endpoint) => isBound(request, endpoint));
        return bound === undefined ? endpoints : [bound];
      },
    };
  },
});
