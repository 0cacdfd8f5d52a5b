// SPDX-License-Identifier: Apache-2.0

/**
 * Which request of a flow is next? The one whose first token is due first: the moment it was received plus the time to
 * first token its caller asks for (`x-llm-d-slo-ttft-ms`); those that ask for none, or for nonsense, are last and among
 * themselves in order of arrival. Choose it when the requests of one tenant promise different latencies. Bound: as for
 * every deadline order, under overload it serves the nearly late first.
 */

import type { OrderingPolicy } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';

export const sloDeadlineOrderingPolicy = definePlugin({
  type: 'slo-deadline-ordering-policy',
  kinds: ['ordering'],
  stability: 'beta',
  summary: 'Earliest SLO deadline first: orders the requests of a flow by when their first token is due.',
  parameters: {},
  create: ({ type, name }): OrderingPolicy => ({
    type,
    name,
    rank: ({ request: { receivedMs, ttftSloMs = NaN } }) => (ttftSloMs >= 0 ? receivedMs + ttftSloMs : Infinity),
  }),
});
