// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exponential, randomFor, wholeNumber } from './draw.ts';

test('the same seed and caller draw the same numbers, any other caller draws others', () => {
  const draw = (seed: number, ...path: number[]): number[] => {
    const random = randomFor(seed, ...path);
    return Array.from({ length: 5 }, () => random());
  };
  assert.deepEqual(draw(7, 1, 2, 3), draw(7, 1, 2, 3));
  const streams = new Set<string>();
  for (let tenant = 0; tenant < 5; tenant++) {
    for (let loop = 0; loop < 100; loop++) streams.add(String(draw(7, tenant, 2, loop)));
  }
  assert.equal(streams.size, 500);
});

test('gaps have the asked mean and the spread of a Poisson process', () => {
  const random = randomFor(1);
  const gaps = Array.from({ length: 20_000 }, () => exponential(random, 500));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  assert.ok(Math.abs(mean - 500) < 15, `mean ${mean}`);
  assert.ok(Math.abs(deviation - 500) < 25, `deviation ${deviation}`);
  assert.ok(Math.min(...gaps) >= 0);
});

test('whole numbers reach both ends of their range, evenly', () => {
  const random = randomFor(3);
  const counts = new Map<number, number>();
  for (let i = 0; i < 10_000; i++) {
    const value = wholeNumber(random, { min: 50, max: 54 });
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  assert.deepEqual([...counts.keys()].sort(), [50, 51, 52, 53, 54]);
  for (const count of counts.values()) assert.ok(Math.abs(count - 2_000) < 200, `${count}`);
});
