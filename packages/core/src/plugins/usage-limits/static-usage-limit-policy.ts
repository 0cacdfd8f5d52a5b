// SPDX-License-Identifier: Apache-2.0

/**
 * At which saturation does a band stop dispatching? All at the same one. Choose a threshold below 1 to keep some of the
 * pool free for traffic that does not come through here. Bound: nothing is dispatched at or above the threshold. The
 * reference does not check its range, and 0 or less would hold everything for ever; here it has to be in (0, 1].
 */

import type { UsageLimitPolicy } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';

export const staticUsageLimitPolicy = definePlugin({
  type: 'static-usage-limit-policy',
  kinds: ['usage-limit'],
  stability: 'beta',
  summary: 'Stops every band at the same saturation.',
  parameters: {
    threshold: {
      type: 'number',
      default: 1,
      min: 0,
      exclusiveMin: true,
      max: 1,
      doc: 'The saturation at which every band stops dispatching.',
    },
  },
  create: ({ type, name, parameters: { threshold } }): UsageLimitPolicy => ({
    type,
    name,
    newState: () => undefined,
    ceilings: (_state, _input, ceilings) => {
      for (let index = 0; index < ceilings.length; index += 1) ceilings[index] = threshold;
    },
  }),
});
