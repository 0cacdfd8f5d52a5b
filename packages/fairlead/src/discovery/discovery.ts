// SPDX-License-Identifier: Apache-2.0

/**
 * Where endpoints come from: whoever discovers them says, at the start and after every change, which there should be.
 * What has to be added or removed for that is worked out once, by the fleet.
 */

import type { EndpointConfig } from '../config/resolved.ts';

export interface DiscoveryListener {
  /** All endpoints there should be, in place of those of the call before. Names and URLs are unique. */
  onEndpoints(wanted: readonly EndpointConfig[]): void;
  /** Something is wrong; what was discovered before stands. */
  onProblem(problem: string): void;
}

export interface Discovery {
  /**
   * Begins; `onEndpoints` has been called when this resolves.
   *
   * @throws {DiscoveryError} when there is no first list.
   */
  start(listener: DiscoveryListener): Promise<void>;
  /** Ends; nothing is called any more. Idempotent. */
  stop(): void;
}

/** The first list could not be had. */
export class DiscoveryError extends Error {
  override readonly name = 'DiscoveryError';
}
