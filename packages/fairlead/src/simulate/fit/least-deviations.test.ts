// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { seededRandom } from '@fairlead/core/testing';
import { leastDeviations } from './least-deviations.ts';
import type { Sighting } from './least-deviations.ts';

/** 7 for each, 0.3 for each of some causes, and 0.002 for each of others; every eighth was held up by something else. */
function seen(): Sighting[] {
  const random = seededRandom(1);
  return Array.from({ length: 80 }, (_, index) => {
    const causes = [1, 300 * random(), 40_000 * random()];
    const of = 7 * causes[0]! + 0.3 * causes[1]! + 0.002 * causes[2]!;
    return { causes, seen: of * (index % 8 === 0 ? 1 + 10 * random() : 0.98 + 0.04 * random()) };
  });
}

test('factors are found although something else was at work now and then', () => {
  const factors = leastDeviations(seen(), 3);
  for (const [index, factor] of [7, 0.3, 0.002].entries()) {
    assert.ok(Math.abs(factors[index]! / factor - 1) < 0.05, factors.join(' '));
  }
});

test('a cause that would have made things less has no part in them, nor has one that nothing tells from another', () => {
  const less = seen().map(({ causes, seen: all }) => ({ causes, seen: Math.max(1, all - 0.004 * causes[2]!) }));
  assert.equal(leastDeviations(less, 3)[2], 0);
  const alike = seen().map(({ causes, seen: all }) => ({ causes: [1, 2, causes[2]!], seen: all }));
  assert.deepEqual(leastDeviations(alike, 3).slice(1), [0, 0]);
  assert.deepEqual(leastDeviations([], 2), [0, 0]);
});
