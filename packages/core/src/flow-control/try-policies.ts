// SPDX-License-Identifier: Apache-2.0

/** Lets every policy begin once, for nobody: one that throws is found out before anything depends on it. */

import type { Plugin } from '../plugin-registry/plugin.ts';
import type { FlowControlConfig } from './config.ts';
import type { BandContext, SaturationDetector } from './policies.ts';
import { compareWaiting } from './waiting-request.ts';

const NOBODYS: BandContext = { compareHeads: compareWaiting, now: () => 0 };

/** @throws Error naming the first policy that cannot begin, and why. */
export function tryPolicies(config: FlowControlConfig, detector: SaturationDetector): void {
  const { bandSelection, usageLimit } = config;
  for (const { fairness } of [config.defaultBand, config.defaultNegativeBand, ...config.bands]) {
    attempt(fairness, () => {
      fairness.newState(NOBODYS);
      fairness.newMemberState();
    });
  }
  attempt(bandSelection, () => {
    bandSelection.newState();
    bandSelection.newBandState(0);
  });
  attempt(usageLimit, () => {
    usageLimit.newState();
  });
  attempt(detector, () => {
    detector.newEndpointState();
  });
}

function attempt({ name, type }: Plugin, begin: () => void): void {
  try {
    begin();
  } catch (error) {
    throw new Error(`plugin '${name}' (type: ${type}) cannot begin: ${String(error)}`, { cause: error });
  }
}
