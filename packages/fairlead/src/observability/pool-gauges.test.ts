// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import type { BandSelectionPolicy } from '@fairlead/core';
import {
  minShareBandSelectionPolicy,
  strictBandSelectionPolicy,
  weightedBandSelectionPolicy,
} from '@fairlead/core/plugins';
import { FlowControlKit, flowControlConfig, instanceOf } from '@fairlead/core/testing';
import { poolView } from '../director/pool-view.ts';
import { poolFamilies } from './catalogue.ts';
import type { MetricFamily } from './catalogue.ts';
import { readPools, Samples } from './pool-gauges.ts';

/** What the gauges of shares say, by priority, after eighty turns of one server. */
function sharesUnder(
  bandSelection: BandSelectionPolicy,
  asking: readonly number[] = [10, 0],
): Record<string, Record<string, number>> {
  const kit = new FlowControlKit({
    config: { bandSelection, bands: [{ priority: 10, ...flowControlConfig().defaultBand }] },
  });
  for (let count = 0; count < 100; count += 1) for (const priority of asking) kit.enqueue({ priority });
  kit.settle();
  for (let count = 0; count < 80; count += 1) kit.finishOne();
  const samples = new Samples();
  const { pool, controller } = kit;
  readPools([poolView({ pool, flowControl: controller.snapshot(), limitOf: () => 1, detector: 'd' })], samples);
  const of = (family: MetricFamily): Record<string, number> => {
    const byPriority: Record<string, number> = {};
    for (const { labels, value } of samples.byFamily.get(family) ?? []) byPriority[labels['priority']!] = value;
    return byPriority;
  };
  return { promised: of(poolFamilies.bandPromisedShare), recent: of(poolFamilies.bandRecentShare) };
}

test('bands that have a right to a share show it, and beside it what they had', () => {
  const weights = [
    { priority: 10, weight: 3 },
    { priority: 0, weight: 1 },
  ];
  const { promised, recent } = sharesUnder(instanceOf(weightedBandSelectionPolicy, { parameters: { weights } }));
  assert.deepEqual(promised, { 10: 0.75, 0: 0.25 });
  assert.ok(Math.abs(recent!['10']! - 0.75) < 0.02 && Math.abs(recent!['0']! - 0.25) < 0.02, JSON.stringify(recent));
});

test('a band that has nothing to send shows what it would have', () => {
  const parameters = { weights: [{ priority: 10, weight: 3 }] };
  const policy = instanceOf(weightedBandSelectionPolicy, { parameters });
  assert.deepEqual(sharesUnder(policy, [10]), { promised: { 10: 1, 0: 0.25 }, recent: { 10: 1, 0: 0 } });
});

test('a band that others leave their part has more than its right to it', () => {
  const shares = [{ priority: 0, share: 0.2 }];
  const parameters = { shares, defaultShare: 0.1 };
  const { promised, recent } = sharesUnder(instanceOf(minShareBandSelectionPolicy, { parameters }));
  assert.deepEqual(promised, { 10: 0.1, 0: 0.2 });
  assert.ok(Math.abs(recent!['10']! - 0.8) < 0.02 && Math.abs(recent!['0']! - 0.2) < 0.02, JSON.stringify(recent));
});

test('bands that are served strictly have no right, and no gauge', () => {
  assert.deepEqual(sharesUnder(instanceOf(strictBandSelectionPolicy)), { promised: {}, recent: {} });
});
