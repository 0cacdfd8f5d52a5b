// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nearestRank, percentiles } from './percentile.ts';

test('the nearest rank of textbook lists is what the textbook says', () => {
  assert.equal(nearestRank([15, 20, 35, 40, 50], 0.3), 20);
  assert.equal(nearestRank([15, 20, 35, 40, 50], 0.4), 20);
  assert.equal(nearestRank([15, 20, 35, 40, 50], 0.5), 35);
  assert.equal(nearestRank([15, 20, 35, 40, 50], 1), 50);
  assert.equal(nearestRank([], 0.5), undefined);
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.deepEqual(percentiles(hundred.reverse()), { p50: 50, p90: 90, p99: 99 });
  assert.deepEqual(percentiles([]), { p50: null, p90: null, p99: null });
});

test('it is always a measured value, and the smallest that enough of them do not exceed', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), fc.integer({ min: 1, max: 100 }), (values, percent) => {
      const sorted = values.toSorted((a, b) => a - b);
      const value = nearestRank(sorted, percent / 100);
      assert.ok(value !== undefined && values.includes(value));
      const reached = (limit: number): boolean =>
        sorted.filter((other) => other <= limit).length * 100 >= percent * sorted.length;
      assert.ok(reached(value));
      assert.ok(!sorted.some((other) => other < value && reached(other)));
    }),
  );
});
