// SPDX-License-Identifier: Apache-2.0

/** What is told of a configuration without a file. */

import type { ConfigStatus } from '../../packages/fairlead/src/config/config-status.ts';

export const unreloaded: ConfigStatus = {
  file: null,
  sha256: null,
  since: '2026-01-01T00:00:00.000Z',
  reloads: { success: 0, failure: 0 },
  lastReload: null,
};
