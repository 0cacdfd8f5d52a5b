// SPDX-License-Identifier: Apache-2.0

/**
 * At which saturation does a band stop dispatching? The highest at `maxCeiling`, the lowest at `minCeiling`, those between
 * on the line from one to the other: by their place in the order (`rank`) or by their priority (`value`). Choose it to
 * keep room free for urgent requests that have not come yet. Bound: what is above a band's ceiling is held for the bands
 * above it, also while those have nothing to send; with a `minCeiling` of 0 the lowest of several bands is never served.
 */

import type { UsageLimitPolicy } from '../../flow-control/policies.ts';
import { PluginError, definePlugin } from '../../plugin-registry/plugin.ts';

/** How far each band is from the highest, 0 to 1, by what its place is taken from. */
const depths: Readonly<Record<string, (priorities: readonly number[], index: number) => number>> = {
  rank: (priorities, index) => index / (priorities.length - 1),
  value: (priorities, index) => {
    const [highest = 0] = priorities;
    const lowest = priorities.at(-1) ?? 0;
    return (highest - (priorities[index] ?? 0)) / (highest - lowest);
  },
};

export const priorityHoldbackPolicy = definePlugin({
  type: 'priority-holdback-policy',
  kinds: ['usage-limit'],
  stability: 'alpha',
  summary: 'Stops low bands at a lower saturation than high ones.',
  parameters: {
    shape: { type: 'string', choices: ['linear'], default: 'linear', doc: 'How ceilings fall from band to band.' },
    domain: {
      type: 'string',
      choices: ['rank', 'value'],
      default: 'rank',
      doc: 'Whether ceilings are spaced evenly from band to band, or as the priorities are.',
    },
    minCeiling: {
      type: 'number',
      required: true,
      min: 0,
      max: 1,
      exclusiveMax: true,
      doc: 'The saturation at which the lowest band stops dispatching; less than `maxCeiling`.',
    },
    maxCeiling: {
      type: 'number',
      default: 1,
      min: 0,
      exclusiveMin: true,
      max: 1,
      doc: 'The saturation at which the highest band, or the only one, stops dispatching.',
    },
  },
  create: ({ type, name, parameters: { domain, minCeiling, maxCeiling } }): UsageLimitPolicy => {
    if (minCeiling >= maxCeiling) {
      throw new PluginError(`minCeiling (${minCeiling}) has to be less than maxCeiling (${maxCeiling})`);
    }
    const depth = depths[domain] as (typeof depths)[string];
    return {
      type,
      name,
      newState: () => undefined,
      ceilings: (_state, { priorities }, ceilings) => {
        ceilings[0] = maxCeiling;
        for (let index = 1; index < ceilings.length; index += 1) {
          ceilings[index] = maxCeiling - (maxCeiling - minCeiling) * depth(priorities, index);
        }
      },
    };
  },
});
