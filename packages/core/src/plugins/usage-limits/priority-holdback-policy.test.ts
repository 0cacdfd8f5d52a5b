// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { PluginError } from '../../plugin-registry/plugin.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { priorityHoldbackPolicy } from './priority-holdback-policy.ts';

function ceilings(priorities: readonly number[], parameters: Readonly<Record<string, unknown>>): number[] {
  const policy = instanceOf(priorityHoldbackPolicy, { parameters });
  const written = new Float64Array(priorities.length).fill(1);
  policy.ceilings(policy.newState(), { priorities, saturation: 0.5 }, written);
  return [...written].map((ceiling) => Math.round(ceiling * 1e9) / 1e9);
}

test('by rank, ceilings are evenly spaced from the highest band to the lowest', () => {
  assert.deepEqual(ceilings([100, 10, 0], { minCeiling: 0.5 }), [1, 0.75, 0.5]);
  assert.deepEqual(ceilings([1, 0], { minCeiling: 0.4, maxCeiling: 0.9 }), [0.9, 0.4]);
});

test('by value, ceilings are spaced as the priorities are', () => {
  assert.deepEqual(ceilings([100, 10, 0], { minCeiling: 0.5, domain: 'value' }), [1, 0.55, 0.5]);
  assert.deepEqual(ceilings([0, -5, -10], { minCeiling: 0, maxCeiling: 0.8, domain: 'value' }), [0.8, 0.4, 0]);
});

test('a single band has the highest ceiling', () => {
  for (const domain of ['rank', 'value']) {
    assert.deepEqual(ceilings([7], { minCeiling: 0.2, maxCeiling: 0.9, domain }), [0.9]);
  }
});

test('a lowest ceiling that is not below the highest is refused', () => {
  for (const minCeiling of [0.9, 0.95]) {
    assert.throws(() => ceilings([1, 0], { minCeiling, maxCeiling: 0.9 }), PluginError);
  }
});

test('no band ever has a higher ceiling than one above it, and all are between the lowest and the highest', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const given = fc.record({
    priorities: fc.uniqueArray(fc.integer({ min: -1e9, max: 1e9 }), { minLength: 1, maxLength: 20 }),
    limits: fc.tuple(share, share).filter(([a, b]) => a !== b),
    domain: fc.constantFrom('rank', 'value'),
  });
  fc.assert(
    fc.property(given, ({ priorities, limits, domain }) => {
      const [minCeiling, maxCeiling] = [Math.min(...limits), Math.max(...limits)];
      const descending = priorities.sort((one, other) => other - one);
      const found = ceilings(descending, { minCeiling, maxCeiling, domain });
      for (const [index, ceiling] of found.entries()) {
        assert.ok(index === 0 || ceiling <= (found[index - 1] as number));
        assert.ok(ceiling >= minCeiling - 1e-9 && ceiling <= maxCeiling + 1e-9);
      }
    }),
  );
});
