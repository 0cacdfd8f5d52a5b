// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { FairnessWeights, matches } from './fairness-weights.ts';

test('a tenant has the weight of its id, else of the first pattern that it fits, else the default', () => {
  const weights = new FairnessWeights({
    weights: [
      { glob: 'batch-*', weight: 0.5 },
      { id: 'batch-vip', weight: 8 },
      { glob: '*', weight: 3 },
    ],
    defaultWeight: 2,
  });
  assert.deepEqual(
    ['batch-vip', 'batch-7', 'acme'].map((id) => weights.of(id)),
    [8, 0.5, 3],
  );
  assert.equal(new FairnessWeights({ weights: [], defaultWeight: 2 }).of('acme'), 2);
  assert.equal(new FairnessWeights().of('acme'), 1);
});

test('a glob fits as a regular expression of the same meaning does', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 });
  const globs = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  fc.assert(
    fc.property(globs, letters, (glob, text) => {
      const pattern = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      assert.equal(matches(glob, text), pattern.test(text), `${glob} and ${text}`);
    }),
  );
});

test('stars that take each other back cost no more than a look at each pair of characters', () => {
  assert.equal(matches('*a'.repeat(60) + 'b', 'a'.repeat(256)), false);
});
