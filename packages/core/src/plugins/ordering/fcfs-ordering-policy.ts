// SPDX-License-Identifier: Apache-2.0

/**
 * Which request of a flow is next? The one that came first. Choose it unless requests carry wait budgets or deadlines of
 * their own. Bound: a request waits for those before it in its flow and for no later one.
 */

import type { OrderingPolicy } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';

export const fcfsOrderingPolicy = definePlugin({
  type: 'fcfs-ordering-policy',
  kinds: ['ordering'],
  stability: 'beta',
  summary: 'First come, first served: orders the requests of a flow as they were enqueued.',
  parameters: {},
  create: ({ type, name }): OrderingPolicy => ({ type, name, rank: (waiting) => waiting.sequence }),
});
