// SPDX-License-Identifier: Apache-2.0

/**
 * Which request of a flow is next? The one whose time runs out first: the end of its wait budget or its caller's own
 * deadline, whichever is earlier; those with neither are last. Choose it when requests of one tenant differ in how long
 * they may wait. Bound: if all of a flow's requests can be served in time, in any order, then in this order they are
 * (earliest deadline first is optimal on one server); under overload it serves the nearly late first.
 */

import type { OrderingPolicy } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';

export const edfOrderingPolicy = definePlugin({
  type: 'edf-ordering-policy',
  kinds: ['ordering'],
  stability: 'beta',
  summary:
    'Earliest deadline first: orders the requests of a flow by when their wait budget or their own deadline ends.',
  parameters: {},
  create: ({ type, name }): OrderingPolicy => ({
    type,
    name,
    rank: (waiting) => Math.min(waiting.expiresMs, waiting.request.deadlineMs ?? Infinity),
  }),
});
