// SPDX-License-Identifier: Apache-2.0

/**
 * How pools and endpoints are shown to `/state` and the gauges: what the fleet knows beside what flow control knows, as
 * it is at one moment.
 */

import type { Endpoint, FlowControlSnapshot, Pool } from '@fairlead/core';

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

/** A view of a pool and its controller; `limitOf` is undefined for an endpoint that is not up. */
export function poolView(input: {
  readonly pool: Pool;
  readonly flowControl: FlowControlSnapshot;
  limitOf(endpoint: Endpoint): number | undefined;
  readonly detector: string;
}): PoolView {
  const { pool, flowControl, detector } = input;
  const models = new Set<string>();
  for (const endpoint of pool.endpoints) {
    for (const model of endpoint.baseModels) models.add(model);
    for (const model of endpoint.adapters) models.add(model);
  }
  return {
    name: pool.name,
    models: [...models],
    detector,
    endpoints: pool.endpoints.map((endpoint) => ({ endpoint, limit: input.limitOf(endpoint) ?? Infinity })),
    snapshot: flowControl,
  };
}
