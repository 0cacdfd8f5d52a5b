// SPDX-License-Identifier: Apache-2.0

/**
 * `npm run bench -- fairness`: how unfair each policy gets. The trial of the published bounds, which tenants of random
 * weights come and go in, and three tenants of weights 1 : 2 : 4 who always wait; in virtual time, so the figures are the
 * same on every machine.
 */

import type { FairnessPolicy } from '@fairlead/core';
import {
  deficitRoundRobinFairnessPolicy,
  globalStrictFairnessPolicy,
  roundRobinFairnessPolicy,
  virtualTokenCounterFairnessPolicy,
} from '@fairlead/core/plugins';
import { instanceOf, runFairness, seededRandom } from '@fairlead/core/testing';
import type { Benchmark, BenchmarkContext } from './harness/benchmark.ts';
import { measurement } from './harness/benchmark.ts';
import { runAsMain } from './harness/run-benchmark.ts';

const SEEDS = 10;
/** Requests of a trial in a run of the default length, and that length. */
const FULL_ARRIVALS = 50_000;
const FULL_SECONDS = 20;

const POLICIES: Readonly<Record<string, () => FairnessPolicy>> = {
  'virtual-token-counter': () => instanceOf(virtualTokenCounterFairnessPolicy),
  'deficit-round-robin': () => instanceOf(deficitRoundRobinFairnessPolicy),
  'round-robin': () => instanceOf(roundRobinFairnessPolicy),
  'global-strict': () => instanceOf(globalStrictFairnessPolicy),
};

const bench: Benchmark = {
  name: 'fairness',
  summary: 'Largest lag of two tenants, in input tokens ÷ weight, and how far shares are from weights.',
  seconds: FULL_SECONDS,
  scenarios: Object.keys(POLICIES),
  targets: ['virtual-token-counter', 'deficit-round-robin'].flatMap((name) => [
    { scenario: `${name}/share-error`, atMost: 2 },
    { scenario: `${name}/lag-to-bound`, atMost: 1 },
  ]),
  run(context) {
    for (const [name, make] of Object.entries(POLICIES)) {
      if (context.wants(name) && !context.stop.aborted) measure(context, name, make);
    }
    return Promise.resolve();
  },
};

function measure(context: BenchmarkContext, name: string, make: () => FairnessPolicy): void {
  const arrivals = Math.max(2_000, Math.round((FULL_ARRIVALS * context.seconds) / FULL_SECONDS));
  const trials = Array.from({ length: SEEDS }, (_, index) => {
    const seed = index + 1;
    const random = seededRandom(seed);
    const weights = Array.from({ length: 12 }, () => 2 ** Math.floor(random() * 5 - 2));
    return runFairness({
      fairness: make(),
      seed,
      arrivals,
      weights,
      backlogged: 1 + (seed % 6),
      slots: 1 + (seed % 12),
    });
  });
  const lags = trials.map(({ largestLag }) => Math.round(largestLag));
  context.report(measurement(`${name}/largest-lag`, 'tokens', lags));
  const toBound = trials.flatMap(({ largestLag, bound }) => (bound === undefined ? [] : [largestLag / bound]));
  if (toBound.length > 0) context.report(measurement(`${name}/lag-to-bound`, 'times', toBound));
  const weights = [1, 2, 4];
  const errors = Array.from({ length: SEEDS }, (_, index) => {
    const { served } = runFairness({ fairness: make(), seed: index + 1, arrivals, weights, backlogged: 3 });
    const total = served.reduce((sum, cost) => sum + cost, 0);
    return Math.max(...weights.map((weight, at) => Math.abs((100 * served[at]!) / total / (weight / 7) - 100)));
  });
  context.report(measurement(`${name}/share-error`, '%', errors));
}

await runAsMain(bench);
