// SPDX-License-Identifier: Apache-2.0

/** When endpoints are set aside, for fleets that are made without a configuration file. */

import type { OutlierDetectionConfig } from '../../packages/fairlead/src/config/resolved.ts';

/** As `serve` has it by default. */
export const OUTLIERS: OutlierDetectionConfig = {
  enabled: true,
  consecutiveFailures: 5,
  failureShare: 0.5,
  minRequests: 20,
  intervalMs: 30_000,
  slowFirstByteFactor: 8,
  slowFirstByteMs: 2000,
  baseEjectionTimeMs: 2000,
  maxEjectionTimeMs: 300_000,
  maxEjectedShare: 0.5,
};
