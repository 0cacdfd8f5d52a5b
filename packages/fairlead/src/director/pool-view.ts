// SPDX-License-Identifier: Apache-2.0

/**
 * How pools and endpoints are shown to `/state` and the gauges: what the fleet knows beside what flow control knows, as
 * it is at one moment.
 */

import type { Endpoint, FlowControlSnapshot } from '@fairlead/core';

export interface EndpointView {
  readonly endpoint: Endpoint;
  /** Sequences it takes at most; Infinity when the detector knows no such limit. */
  readonly limit: number;
}

export interface PoolView {
  readonly name: string;
  /** Base models and adapters its endpoints serve. */
  readonly models: readonly string[];
  /** Name of the saturation detector. */
  readonly detector: string;
  readonly endpoints: readonly EndpointView[];
  readonly snapshot: FlowControlSnapshot;
}
