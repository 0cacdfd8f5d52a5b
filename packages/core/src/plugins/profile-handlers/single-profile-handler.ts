// SPDX-License-Identifier: Apache-2.0

/**
 * Which scheduling profile runs for a request? The only one there is. Choose it unless prefill and decode run on
 * different servers.
 */

import { definePlugin, PluginError } from '../../plugin-registry/plugin.ts';
import type { ProfileHandler, SchedulingProfile } from '../../scheduling/contracts.ts';

export const singleProfileHandler = definePlugin({
  type: 'single-profile-handler',
  kinds: ['profile-handler'],
  stability: 'beta',
  summary: 'Runs the one scheduling profile for every request.',
  parameters: {},
  create: ({ type, name }): ProfileHandler => ({
    type,
    name,
    check: (profiles) => {
      if (profiles.length === 1) return;
      const names = profiles.map((profile) => profile.name).join(', ');
      throw new PluginError(`${type} works with exactly one scheduling profile, not ${profiles.length} (${names})`);
    },
    choose: (_request, profiles) => profiles[0] as SchedulingProfile,
  }),
});
