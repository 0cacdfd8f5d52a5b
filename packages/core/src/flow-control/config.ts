// SPDX-License-Identifier: Apache-2.0

/**
 * The controller's configuration, already resolved: limits as numbers, policies as instances. Nothing here is a name.
 */

import type { CostWeights } from '../request/cost-model.ts';
import type { BandSelectionPolicy, FairnessPolicy, OrderingPolicy, UsageLimitPolicy } from './policies.ts';

/** Limits and policies of one band; the template of bands that are made on demand. */
export interface BandTemplate {
  /** Requests waiting in the band at most. */
  readonly maxRequests: number;
  /** Bytes of body waiting in the band at most. */
  readonly maxBytes: number;
  /** Share of the band's limits that one flow may fill, in (0, 1]. */
  readonly maxFlowShare: number;
  readonly fairness: FairnessPolicy;
  readonly ordering: OrderingPolicy;
}

export interface BandConfig extends BandTemplate {
  readonly priority: number;
}

export interface FlowControlConfig {
  /** Requests waiting over all bands at most; Infinity for no limit. */
  readonly maxRequests: number;
  /** Bytes of body waiting over all bands at most; Infinity for no limit. */
  readonly maxBytes: number;
  /** Wait budget while the pool has endpoints; Infinity for none. */
  readonly defaultRequestTtlMs: number;
  /** Wait budget while the pool has no endpoints; Infinity for none. */
  readonly noEndpointRequestTtlMs: number;
  /** Bands that exist from the start. */
  readonly bands: readonly BandConfig[];
  /** Template of band 0 and of other bands made on demand. */
  readonly defaultBand: BandTemplate;
  /** Template of bands below 0 made on demand. */
  readonly defaultNegativeBand: BandTemplate;
  /** Priorities that an objective or a key names: their bands are made from the templates at first use. */
  readonly knownPriorities: readonly number[];
  /** Which band is served next. */
  readonly bandSelection: BandSelectionPolicy;
  readonly usageLimit: UsageLimitPolicy;
  /** What requests cost, for policies that count it; the defaults when undefined. */
  readonly costs?: CostWeights | undefined;
  /** A flow that held nothing for so long is forgotten. */
  readonly flowIdleMs: number;
  /** A band that held nothing for so long, and is not configured, is forgotten. */
  readonly bandIdleMs: number;
}
