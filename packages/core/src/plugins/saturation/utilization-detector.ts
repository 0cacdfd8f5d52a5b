// SPDX-License-Identifier: Apache-2.0

/**
 * How full is the pool? By what the engines' own metrics say of their waiting queues and KV caches. Choose it when other
 * traffic reaches the servers too, or no limit is known and some queueing in the engine is acceptable. The reference's
 * default.
 *
 * An endpoint's use is the larger of waiting ÷ `queueDepthThreshold` and KV use ÷ `kvCacheUtilThreshold`; it is full at
 * 1, and the pool's saturation is the mean, in which an endpoint beyond 1 counts as 1 while another has room (in the
 * reference one that reports a long queue halts all the others). Bound: an engine's queue stays near the threshold; the
 * reading is corrected by what was dispatched and finished since, so that a burst between two scrapes cannot pile up on
 * one endpoint.
 *
 * The reference counts an endpoint with missing or old metrics as full, and halts when scrapes fail. Here such an
 * endpoint is unknown, not full: one that never told may have 64 sequences in flight, and one whose scrapes
 * fail keeps the limit that its last reading showed.
 */

import type { Endpoint, MetricsReading } from '../../endpoints/endpoint.ts';
import type { SaturationDetector, Tracked } from '../../flow-control/policies.ts';
import type { ParametersOf } from '../../plugin-registry/parameters.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import type { Filter } from '../../scheduling/contracts.ts';
import { PoolUse } from './pool-use.ts';

/** Sequences in flight at an endpoint of which nothing is known: what mid-size engines batch without queueing. */
const UNKNOWN_LIMIT = 64;

/** Scrapes that may fail in a row before a reading, corrected as it is, no longer counts as current. */
const FAILED_SCRAPES = 3;

const parameters = {
  queueDepthThreshold: {
    type: 'number',
    default: 5,
    min: 0,
    exclusiveMin: true,
    doc: 'Requests waiting in an engine’s own queue at which it is full.',
  },
  kvCacheUtilThreshold: {
    type: 'number',
    default: 0.8,
    min: 0,
    exclusiveMin: true,
    max: 1,
    doc: 'Share of an engine’s KV cache in use at which it is full.',
  },
  metricsStalenessThreshold: {
    type: 'duration',
    default: 200,
    min: 0,
    doc: 'Accepted for configurations of the reference; here age does not make an endpoint full.',
  },
  headroom: {
    type: 'number',
    default: 0,
    min: 0,
    doc: 'Share by which both thresholds are raised when it is used as a filter; the saturation does not change.',
  },
} as const;

class UtilizationDetector implements SaturationDetector<undefined>, Filter {
  readonly type: string;
  readonly name: string;
  readonly #queueThreshold: number;
  readonly #kvThreshold: number;
  readonly #filterUse: number;

  constructor(context: { type: string; name: string; parameters: ParametersOf<typeof parameters> }) {
    this.type = context.type;
    this.name = context.name;
    this.#queueThreshold = context.parameters.queueDepthThreshold;
    this.#kvThreshold = context.parameters.kvCacheUtilThreshold;
    this.#filterUse = 1 + context.parameters.headroom;
  }

  newEndpointState(): undefined {
    return undefined;
  }

  saturation(endpoints: readonly Tracked<undefined>[]): number {
    const use = new PoolUse();
    for (const { endpoint } of endpoints) use.add(this.#use(endpoint), 1);
    return use.saturation;
  }

  limit({ endpoint }: Tracked<undefined>): number {
    return isCurrent(endpoint) ? Infinity : this.#limitWithoutMetrics(endpoint);
  }

  /** An engine that is not full takes any request: its metrics do not say how many sequences would fill it. */
  room({ endpoint }: Tracked<undefined>): number {
    if (!isCurrent(endpoint)) return this.#limitWithoutMetrics(endpoint) - endpoint.inFlight;
    return this.#use(endpoint) < 1 ? Infinity : 0;
  }

  /** All endpoints when none is below the thresholds, as in the reference. */
  filter(_request: unknown, endpoints: readonly Endpoint[]): readonly Endpoint[] {
    const below = endpoints.filter((endpoint) => this.#use(endpoint) < this.#filterUse);
    return below.length === 0 ? endpoints : below;
  }

  #use(endpoint: Endpoint): number {
    const waiting = endpoint.waitingEstimate();
    if (waiting === undefined || !isCurrent(endpoint)) return endpoint.inFlight / this.#limitWithoutMetrics(endpoint);
    return this.#useOf(waiting, endpoint.metrics?.kvUsage);
  }

  #useOf(waiting: number, kvUsage: number | undefined): number {
    return Math.max(waiting / this.#queueThreshold, (kvUsage ?? 0) / this.#kvThreshold);
  }

  /** What the endpoint could have had in flight from here when it last told, never taken for more than it then had or is usual. */
  #limitWithoutMetrics({ metrics }: Endpoint): number {
    if (metrics === undefined) return UNKNOWN_LIMIT;
    const inFlightThen = Math.max(0, metrics.dispatchedBefore - metrics.finishedBefore);
    const useThen = this.#useOf(metrics.waiting, metrics.kvUsage);
    if (inFlightThen === 0 || useThen === 0) return Math.max(UNKNOWN_LIMIT, inFlightThen);
    return Math.max(1, Math.floor(Math.min(inFlightThen / useThen, Math.max(UNKNOWN_LIMIT, inFlightThen))));
  }
}

function isCurrent(endpoint: Endpoint): endpoint is Endpoint & { metrics: MetricsReading } {
  return endpoint.metrics !== undefined && endpoint.scrapeFailures < FAILED_SCRAPES;
}

export const utilizationDetector = definePlugin({
  type: 'utilization-detector',
  kinds: ['saturation', 'filter'],
  stability: 'beta',
  summary: 'Measures saturation by the waiting queues and KV caches that the engines report.',
  parameters,
  create: (context) => new UtilizationDetector(context),
});
