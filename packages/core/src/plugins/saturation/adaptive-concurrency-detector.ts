// SPDX-License-Identifier: Apache-2.0

/**
 * Which question: how many sequences may be in flight at each endpoint, when nobody has told us.
 * When to choose it: always, unless you know the engine's `max_num_seqs` better than the engine does; `serve` does.
 * Its bound: while it looks for a limit it overshoots by at most an eighth of it, or one; once found, the engine's own waiting
 * queue stays between none and one. An endpoint with metrics starts at four and grows by an eighth, or one, at a time;
 * once its limit is found, one more is tried now and then. An endpoint without metrics starts at `initialLimit` and
 * learns from times to first token; one whose metrics stop keeps the limit it has. States are per endpoint and outlive
 * its restarts.
 */

import type { FirstTokenSample, SaturationDetector, Tracked } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import { MetricsLearner } from './adaptive-concurrency/learn-from-metrics.ts';
import { TtftLearner } from './adaptive-concurrency/learn-from-ttft.ts';
import { PoolUse } from './pool-use.ts';

/** Where a limit starts once the engine's metrics can be read: small, because growing takes a few readings only. */
const FIRST_LIMIT_WITH_METRICS = 4;

/** What is remembered of one endpoint. */
class LearnedLimit {
  readonly #metrics: MetricsLearner;
  readonly #ttft: TtftLearner;
  #hasMetrics = false;
  /** The most sequences in flight since the last reading. */
  peakInFlight = 0;

  constructor(initialLimit: number, maxLimit: number) {
    this.#metrics = new MetricsLearner(Math.min(FIRST_LIMIT_WITH_METRICS, maxLimit), maxLimit);
    this.#ttft = new TtftLearner(initialLimit, maxLimit);
  }

  get limit(): number {
    return this.#hasMetrics ? this.#metrics.limit : this.#ttft.limit;
  }

  get looking(): boolean {
    return this.#hasMetrics && this.#metrics.looking;
  }

  metricsRead({ endpoint }: Tracked, nowMs: number): void {
    const reading = endpoint.metrics;
    if (reading === undefined) return;
    this.#hasMetrics = true;
    const { running, waiting, kvUsage } = reading;
    this.#metrics.read({ running, waiting, kvUsage, oursPeak: this.peakInFlight, nowMs });
    this.peakInFlight = endpoint.inFlight;
  }

  firstToken(sample: FirstTokenSample, nowMs: number): void {
    if (!this.#hasMetrics) this.#ttft.sample(sample, nowMs);
  }
}

export const adaptiveConcurrencyDetector = definePlugin({
  type: 'adaptive-concurrency-detector',
  kinds: ['saturation'],
  stability: 'stable',
  summary:
    "Learns each endpoint's limit from the engine's own metrics, or from times to first token where there are none.",
  parameters: {
    initialLimit: {
      type: 'integer',
      default: 64,
      min: 1,
      doc: 'Sequences in flight at most on an endpoint that has no metrics, until times to first token say otherwise.',
    },
    maxLimit: {
      type: 'integer',
      default: 4096,
      min: 1,
      doc: 'The largest limit that is ever tried on an endpoint, in sequences.',
    },
  },
  create({ type, name, parameters }): SaturationDetector<LearnedLimit> {
    const initialLimit = Math.min(parameters.initialLimit, parameters.maxLimit);
    return {
      type,
      name,
      newEndpointState: () => new LearnedLimit(initialLimit, parameters.maxLimit),
      saturation(endpoints) {
        const use = new PoolUse();
        for (const { endpoint, state } of endpoints) use.add(endpoint.inFlight, state.limit);
        return use.saturation;
      },
      limit: ({ state }) => state.limit,
      room: ({ endpoint, state }) => state.limit - endpoint.inFlight,
      wantsReading: ({ endpoint, state }) => state.looking && endpoint.inFlight >= state.limit,
      metricsRead(tracked, nowMs) {
        tracked.state.metricsRead(tracked, nowMs);
      },
      dispatched({ endpoint, state }) {
        if (endpoint.inFlight > state.peakInFlight) state.peakInFlight = endpoint.inFlight;
      },
      firstToken({ state }, sample, nowMs) {
        state.firstToken(sample, nowMs);
      },
    };
  },
});
