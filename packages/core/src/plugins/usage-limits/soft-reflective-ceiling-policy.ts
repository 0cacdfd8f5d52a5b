// SPDX-License-Identifier: Apache-2.0

/**
 * At which saturation does a band stop dispatching? The highest when the pool is full; a band below from saturation
 * 1 − its place ÷ (bands − 1) × saturation on, and then not at once: of round(saturation ÷ (1 − saturation)) chances to
 * dispatch it gets one, so that it is throttled more the fuller the pool is. Choose it to let low bands trickle where
 * priority-holdback-policy would stop them. A chance is one look at the queues, at every arrival, completion and reading.
 * Bound: none of the lower bands when the pool is full; a band that got its chance may fill the pool with it.
 */

import type { UsageLimitPolicy } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';

/** All gated bands share one count, so that they open together and the higher one goes first. */
interface Chances {
  count: number;
}

/** Whether the gated bands may dispatch this time; counts the time when the lowest band is gated. */
function takeChance(chances: Chances, saturation: number): boolean {
  if (saturation < 1 - saturation || saturation >= 1) return false;
  chances.count += 1;
  return chances.count % Math.round(saturation / (1 - saturation)) === 0;
}

export const softReflectiveCeilingPolicy = definePlugin({
  type: 'soft-reflective-ceiling-policy',
  kinds: ['usage-limit'],
  stability: 'alpha',
  summary: 'Lets low bands dispatch ever more rarely as saturation rises.',
  parameters: {},
  create: ({ type, name }): UsageLimitPolicy<Chances> => ({
    type,
    name,
    newState: () => ({ count: 0 }),
    ceilings: (chances, { saturation }, ceilings) => {
      ceilings.fill(1);
      const isOpen = takeChance(chances, saturation);
      const last = ceilings.length - 1;
      for (let index = 1; index <= last; index += 1) {
        const reflective = 1 - (index * saturation) / last;
        if (saturation >= reflective && !isOpen) ceilings[index] = 0;
      }
    },
  }),
});
