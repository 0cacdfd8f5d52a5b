// SPDX-License-Identifier: Apache-2.0

/**
 * Which band is next? The highest that has anything to send. Choose it when what is urgent shall never wait for what is
 * not. A band is served only while all above it are empty or find no room, and the first whose ceiling is reached stops
 * itself and all below. Bound: none for any band but the highest; while a higher one sends more than the servers take,
 * those below it get nothing.
 */

import type { BandSelectionPolicy, Contender } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';

export const strictBandSelectionPolicy = definePlugin({
  type: 'strict-band-selection-policy',
  kinds: ['band-selection'],
  stability: 'stable',
  summary: 'Serves the highest band that has anything to send; the first one at its ceiling stops those below.',
  parameters: {},
  create: ({ type, name }): BandSelectionPolicy => ({
    type,
    name,
    isStrict: true,
    newState: () => undefined,
    newBandState: () => undefined,
    pick: (_state, offered) => offered[0] as Contender,
  }),
});
